"""A model hub on this machine that refuses every request in one of the ways of the real one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATUS = {"RepoNotFound": 401, "RevisionNotFound": 404, "GatedRepo": 403, "503": 503}


def _handler(answer: str) -> type[BaseHTTPRequestHandler]:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(STATUS[answer])
            if not answer.isdecimal():
                self.send_header("X-Error-Code", answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
            """Says nothing."""

    return Refuses


@contextmanager
def hub(answer: str) -> Iterator[str]:
    """The url of a hub whose every answer is a key of ``STATUS``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
