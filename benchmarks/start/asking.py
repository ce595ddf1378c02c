"""Asking a server that may not be there yet."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable

from start.subjects import PORT, SERVED

EVERY = 0.02  # seconds between two questions
BUDGET = 300.0
PATIENCE = 10.0  # for an answer; the address of a pod that has ended does not even refuse
LAST_LINES = 400  # of a server that ended: the cause stands above several tracebacks


def until_ready(host: str, runs: Callable[[], bool], said: Callable[[], str], port: int = PORT) -> None:
    """Returns at the first 200 of GET /v1/models; SystemExit, with what the server has ``said``, if it ends
    before that or takes too long."""
    deadline = time.monotonic() + BUDGET
    while ask(host, "GET", "/v1/models", None, port) != 200:
        if not runs():
            raise SystemExit(f"the server ended before it was ready:\n{said()}")
        if time.monotonic() > deadline:
            raise SystemExit(f"not ready within {BUDGET:g} s:\n{said()}")
        time.sleep(EVERY)


def first_answer(host: str, port: int = PORT) -> float:
    """Seconds of the first chat request: what a start has put off would show here."""
    words = {"model": SERVED, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    began = time.monotonic()
    status = ask(host, "POST", "/v1/chat/completions", json.dumps(words), port)
    if status != 200:
        raise SystemExit(f"the first chat request was answered with {status}")
    return round(time.monotonic() - began, 3)


def ask(host: str, method: str, path: str, body: str | None, port: int) -> int:
    """The status of the answer; 0 where there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
    return answer.status
