"""A store of models on loopback: the Hugging Face Hub's two requests, S3's two, and every fault on demand.

It counts the bytes of each file that it has sent. Run as a program it is the same beside pods.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PIECE = 64 * 1024
PATIENCE = 120.0  # seconds that a held answer waits to be let go
LARGE = 1000  # bytes from which on a file is kept as the hub keeps large ones: by its SHA-256
_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class Gate:
    """Holds the body of a file at a byte until it is opened; ``reached`` tells that somebody is there."""

    at: int
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)


@dataclass
class Repository:
    """The files of a model: hub name OWNER/NAME, or bucket/prefix."""

    files: dict[str, bytes]
    commit: str = "c" * 40


class Store:
    """What the server has, what it was asked, and which faults come next."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.sent: Counter[str] = Counter()
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.statuses: dict[str, list[int]] = {}
        self.cuts: dict[str, list[int]] = {}
        self.lies: dict[str, list[bytes]] = {}
        self.gates: dict[str, Gate] = {}
        self.token = ""
        self.sizes_in_lists = True
        self.ranges = True
        self.moved_to = ""  # another address that files are redirected to, as to a content network
        self.lock = threading.Lock()
        self.url = ""

    def next_fault(self, faults: dict[str, list[int]], name: str) -> int | None:
        """The next one of a file; ``*`` is any."""
        with self.lock:
            queue = faults.get(name) or faults.get("*") or []
            return queue.pop(0) if queue else None

    def content(self, name: str, path: str) -> bytes | None:
        """A file, or the lie that is told once in its place."""
        repository = self.repositories.get(name)
        if repository is None or path not in repository.files:
            return None
        with self.lock:
            lies = self.lies.get(path) or []
            return lies.pop(0) if lies else repository.files[path]


def git_digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        store, parts = self.store, urlsplit(self.path)
        path = unquote(parts.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with store.lock:
            store.asked.append((self.command, self.path, headers))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+)?", path):
            self._list(found[1])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], found[3], body=body)
        elif found := re.fullmatch(r"/moved/([^/]+/[^/]+)/(.+)", path):
            self._file(found[1], found[2], body=body)
        elif "list-type" in parse_qs(parts.query):
            self._objects(path.strip("/"), parse_qs(parts.query))
        else:
            name = next((each for each in store.repositories if path.startswith(f"/{each}/")), "")
            self._file(name, path.removeprefix(f"/{name}/"), body=body)

    def _refused(self, name: str) -> bool:
        status = self.store.next_fault(self.store.statuses, name)
        if (
            status is None
            and self.store.token
            and self.headers.get("authorization") != f"Bearer {self.store.token}"
        ):
            status = 401
        if status is None:
            return False
        code = {401: "GatedRepo", 404: "RevisionNotFound"}.get(status, "")
        self._send(
            status, b"<Error><Code>AccessDenied</Code></Error>", {"x-error-code": code} if code else {}
        )
        return True

    def _list(self, name: str) -> None:
        if self._refused("list"):
            return
        repository = self.store.repositories.get(name)
        if repository is None:
            self._send(401, b"", {"x-error-code": "RepoNotFound"})
            return
        siblings = [self._sibling(path, content) for path, content in repository.files.items()]
        self._send(200, json.dumps({"sha": repository.commit, "siblings": siblings}).encode())

    def _sibling(self, path: str, content: bytes) -> dict[str, object]:
        if not self.store.sizes_in_lists:
            return {"rfilename": path}
        told: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": git_digest(content)}
        if len(content) >= LARGE:
            told["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        return told

    def _resolve(self, name: str, path: str, *, body: bool) -> None:
        content = self.store.repositories[name].files.get(path) if name in self.store.repositories else None
        if self._refused(path):
            return
        if content is None:
            self._send(404, b"", {"x-error-code": "EntryNotFound"})
            return
        if self.store.moved_to:
            linked = {
                "x-linked-size": str(len(content)),
                "x-linked-etag": f'"{hashlib.sha256(content).hexdigest()}"',
            }
            self._send(302, b"", {"location": f"{self.store.moved_to}/moved/{name}/{path}", **linked})
            return
        self._file(name, path, body=body, refusable=False)

    def _objects(self, bucket: str, query: dict[str, list[str]]) -> None:
        if self._refused("list"):
            return
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", ["0"])[0]
        found = [
            (f"{name.partition('/')[2]}/{path}", content)
            for name, repository in self.store.repositories.items()
            for path, content in repository.files.items()
            if name.partition("/")[0] == bucket and f"{name.partition('/')[2]}/{path}".startswith(prefix)
        ]
        begin = int(after)
        page, rest = found[begin : begin + 2], found[begin + 2 :]
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            f"<ETag>&quot;{hashlib.md5(content, usedforsecurity=False).hexdigest()}&quot;</ETag></Contents>"
            for key, content in page
        )
        more = f"<NextContinuationToken>{begin + 2}</NextContinuationToken>" if rest else ""
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        text = (
            f'<ListBucketResult xmlns="{space}"><IsTruncated>{"true" if rest else "false"}</IsTruncated>'
            f"{items}{more}</ListBucketResult>"
        )
        self._send(200, text.encode())

    def _file(self, name: str, path: str, *, body: bool, refusable: bool = True) -> None:
        if refusable and self._refused(path):
            return
        content = self.store.content(name, path)
        if content is None:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        span = _RANGE.fullmatch(self.headers.get("range", "")) if self.store.ranges else None
        start = int(span[1]) if span else 0
        head = {"content-range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if span else {}
        head["etag"] = f'"{git_digest(content)}"'
        if len(content) >= LARGE:
            head["etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        self._head(206 if span else 200, len(content) - start, head)
        if body:
            self._pieces(path, content, start)

    def _pieces(self, path: str, content: bytes, start: int) -> None:
        cut, gate = self.store.next_fault(self.store.cuts, path), self.store.gates.get(path)
        end = len(content) if cut is None else min(cut, len(content))
        at = start
        while at < end:
            if gate is not None and at <= gate.at < at + PIECE and not gate.opened.is_set():
                gate.reached.set()
                gate.opened.wait(PATIENCE)
            piece = content[at : min(at + PIECE, end)]
            try:
                self.wfile.write(piece)
            except OSError:
                break
            at += len(piece)
            with self.store.lock:
                self.store.sent[path] += len(piece)
        if at < len(content):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, len(body), headers or {})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


@contextmanager
def serving(store: Store, host: str = "127.0.0.1", port: int = 0) -> Iterator[Callable[[], str]]:
    """The store on a port of loopback; what it gives is the address."""
    handler = type("BoundHandler", (Handler,), {"store": store})
    server = Server((host, port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    store.url = f"http://{host}:{server.server_address[1]}"
    try:
        yield lambda: store.url
    finally:
        for gate in store.gates.values():
            gate.opened.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=60)
