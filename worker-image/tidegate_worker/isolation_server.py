"""GET /isolation, /start and /metrics on a port of their own: what the kernel says of this worker's cores and
what its start was spent on, each as one small JSON object, and both for Prometheus.

It answers one client after the other, in one thread, and reads no body. It never costs the engine anything
that matters: where it cannot listen, the worker runs without it and the operator knows less.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from .report import say

PORT = 8001
PORT_VARIABLE = "TIDEGATE_ISOLATION_PORT"  # 0: any that is free
HOST_VARIABLE = "TIDEGATE_ISOLATION_HOST"  # the address to listen on; all of the pod's where there is none
HEAD_BYTES = 4096
HEAD_SECONDS = 1.0  # for a client to send its head, and then to take the answer
BACKLOG = 16

JSON = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

Answer = Callable[[], Mapping[str, object] | str]  # an object that becomes JSON, or text for Prometheus
Answers = Mapping[str, Answer]  # by path


def serve_isolation(answers: Answers, environment: Mapping[str, str]) -> int | None:
    """Answer until the process ends; the port, or None where it cannot be listened on."""
    text = environment.get(PORT_VARIABLE, "")
    try:
        listener = _listen(environment.get(HOST_VARIABLE, ""), int(text) if text.isdecimal() else PORT)
        threading.Thread(target=_answer_all, args=(listener, answers), name="isolation", daemon=True).start()
    except (OSError, OverflowError, RuntimeError) as error:  # RuntimeError: the pod has no thread left
        say("unprepared", what="the evidence of isolation", error=str(error))
        return None
    bound: int = listener.getsockname()[1]
    say("isolation", port=bound)
    return bound


def _listen(host: str, port: int) -> socket.socket:
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        with suppress(OSError):  # a kernel that has IPv6 may have it switched off
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
            )
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104  in the pod


def _answer_all(listener: socket.socket, answers: Answers) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # out of files, or gone before it was accepted: the next one may do better
            time.sleep(HEAD_SECONDS)
            continue
        with client, suppress(OSError):  # TimeoutError among them: a client that dawdles gets nothing
            client.sendall(answer(_request_line(client), answers))
            client.shutdown(socket.SHUT_WR)


def _request_line(client: socket.socket) -> bytes:
    """The first line of a request whose head has arrived whole, in time and within bounds; else empty."""
    deadline, head = time.monotonic() + HEAD_SECONDS, b""
    while b"\r\n\r\n" not in head:
        client.settimeout(max(0.001, deadline - time.monotonic()))
        piece = client.recv(HEAD_BYTES)
        head += piece
        if not piece or len(head) > HEAD_BYTES:
            return b""
    client.settimeout(HEAD_SECONDS)
    return head.partition(b"\r\n")[0]


def answer(request_line: bytes, answers: Answers) -> bytes:
    """The whole answer to a request; 500 where what is asked for cannot be had."""
    words = request_line.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        return _response("400 Bad Request", {"error": "this is not a request of HTTP/1.1"})
    asked = answers.get(words[1].decode("latin-1"))
    if asked is None:
        return _response("404 Not Found", {"error": f"only {' and '.join(answers)} are answered here"})
    if words[0] != b"GET":
        return _response("405 Method Not Allowed", {"error": "only GET is answered here"})
    try:
        return _response("200 OK", asked())
    except (OSError, ValueError) as error:
        return _response("500 Internal Server Error", {"error": str(error)})


def _response(status: str, body: Mapping[str, object] | str) -> bytes:
    kind, text = (PROMETHEUS, body) if isinstance(body, str) else (JSON, json.dumps(body))
    content = text.encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + content
