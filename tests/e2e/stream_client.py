"""Streams without end from inside a cluster: ``stream_client.py URL MODEL``, until /tmp/stop is there.

Prints ``begun`` with the first answer, and at the end one line of JSON: what was answered whole, and what was
not. Every request has a connection of its own, as from many clients.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import urllib.parse
from typing import Any

LONG, SHORT = 200, 2  # tokens: 10 s at 20 a second, so that they outlast the preStop sleep of both old pods
THREADS = 4  # of each kind


def request(host: str, model: str, tokens: int) -> str:
    """Empty where the stream came whole, else what happened instead."""
    body = {"model": model, "messages": [], "max_tokens": tokens, "stream": True}
    connection = http.client.HTTPConnection(host, timeout=200)
    try:
        headers = {"content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    if answer.status != 200:
        return f"{answer.status}: {text.decode()}"
    return "" if text.rstrip().endswith(b"data: [DONE]") else f"cut after {len(text)} bytes"


def main() -> None:
    """Runs the threads and prints what they found."""
    url, model = sys.argv[1:]
    host = urllib.parse.urlsplit(url).netloc
    whole, failed = {LONG: 0, SHORT: 0}, list[str]()

    def work(tokens: int) -> None:
        while not os.path.exists("/tmp/stop"):  # noqa: S108, PTH110 - the pod's own, and only the test's
            failure = request(host, model, tokens)
            if failure:
                failed.append(failure)
            else:
                whole[tokens] += 1
                print("begun", flush=True) if sum(whole.values()) == 1 else None

    threads = [threading.Thread(target=work, args=(tokens,)) for tokens in (LONG, SHORT) * THREADS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result: dict[str, Any] = {"long": whole[LONG], "short": whole[SHORT], "failed": failed}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
