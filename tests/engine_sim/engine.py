"""A simulated engine: vLLM's API and vLLM's arguments without a model, for tests, demos and benchmarks.

One file, standard library only. It takes vLLM's arguments (unknown ones are ignored) and:

- ``ENGINE_START_DELAY_SECONDS`` (0): the port opens that long after the start, as a load of weights would;
- ``ENGINE_TOKENS_PER_SECOND`` (100, 0 for no delay): the pace of one sequence;
- ``ENGINE_REQUEST_SECONDS`` (unset): how long a request that does not stream takes, whatever its tokens;
- ``ENGINE_FAIL`` (unset): ``<Reason>: <message>``, written to the termination log before exit 1;
- ``ENGINE_TERMINATION_LOG`` (TIDEGATE_TERMINATION_MESSAGE, else /dev/termination-log): where that line goes;
- ``ENGINE_REPORT_TO`` (unset): ``<host>:<port>`` of a TCP server that is told of each completion, by the
  request's x-request-id: ``begun <id> <worker>``, and ``ended <id> <worker>`` when its last byte was written.
  A worker is named by the end of ``TIDEGATE_WORKER``, else by its host's name, which is its pod's.

Each may also be given as an argument (``--engine-start-delay-seconds 2``).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

EMBEDDING_DIMENSIONS = 16
MESSAGE_VARIABLE = "TIDEGATE_TERMINATION_MESSAGE"  # both of a worker that is no pod
MARK_VARIABLE = "TIDEGATE_WORKER"
MAX_HEAD = 64 * 1024
MAX_BODY = 256 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the engine was told: durations in seconds, rates a second."""

    model: str
    served_names: tuple[str, ...]
    host: str
    port: int
    max_num_seqs: int
    start_delay: float
    tokens_per_second: float
    request_seconds: float | None
    fail: str
    termination_log: Path
    report_to: str


def parse(argv: Sequence[str]) -> Settings:
    """The settings of a command line; what vLLM knows and this engine does not is ignored."""
    parser = argparse.ArgumentParser(description="A simulated vLLM engine.", allow_abbrev=False)
    parser.add_argument("model_positional", nargs="?", default="")
    parser.add_argument("--model", default="")
    parser.add_argument("--served-model-name", nargs="+", default=[])
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - it serves inside a pod
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-num-seqs", type=int, default=32)
    _environment_option(parser, "start-delay-seconds", "0")
    _environment_option(parser, "tokens-per-second", "100")
    _environment_option(parser, "request-seconds", "")
    _environment_option(parser, "fail", "")
    _environment_option(parser, "termination-log", os.environ.get(MESSAGE_VARIABLE, "/dev/termination-log"))
    _environment_option(parser, "report-to", "")
    known, _ = parser.parse_known_args(argv)
    model = known.model or known.model_positional or "simulated"
    return Settings(
        model=model,
        served_names=tuple(known.served_model_name) or (model,),
        host=known.host,
        port=known.port,
        max_num_seqs=known.max_num_seqs,
        start_delay=float(known.engine_start_delay_seconds),
        tokens_per_second=float(known.engine_tokens_per_second),
        request_seconds=float(known.engine_request_seconds) if known.engine_request_seconds else None,
        fail=known.engine_fail,
        termination_log=Path(known.engine_termination_log),
        report_to=known.engine_report_to,
    )


def _environment_option(parser: argparse.ArgumentParser, name: str, default: str) -> None:
    variable = "ENGINE_" + name.upper().replace("-", "_")
    parser.add_argument(f"--engine-{name}", default=os.environ.get(variable, default))


class ApiError(Exception):
    """An answer in vLLM's error format: HTTP status, type, message."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": None, "code": status}}


class Slots:
    """At most ``limit`` sequences run, the rest wait in order of arrival; counts what vLLM's metrics show."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self.running = 0
        self.waiting = 0
        self.succeeded = 0
        self.aborted = 0

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A slot for the time of the block; given back also when the client has gone."""
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
            self.succeeded += 1
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        finally:
            self.running -= 1
            self._free.release()


class Reporter:
    """Tells a server which requests have begun and ended here; nobody, where none was named.

    It blocks for the moment that a line takes, so that no line is lost when the process ends right after it.
    """

    def __init__(self, report_to: str) -> None:
        host, _, port = report_to.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=5) if port else None
        self._name = os.environ.get(MARK_VARIABLE, "").rpartition(":")[2] or socket.gethostname()

    def tell(self, word: str, request: Request) -> None:
        """One line."""
        if self._socket is not None and request.id:
            self._socket.sendall(f"{word} {request.id} {self._name}\n".encode())


@dataclasses.dataclass(frozen=True)
class Request:
    """One parsed HTTP request; ``id``: its x-request-id, empty where it has none."""

    method: str
    path: str
    keep_alive: bool
    body: bytes
    id: str = ""

    def json(self) -> dict[str, Any]:
        """The body as an object; ApiError 400 for anything else."""
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise ApiError(400, "BadRequestError", f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ApiError(400, "BadRequestError", "the body is not a JSON object")
        return value


class Engine:
    """The answers: what each path of vLLM's API says."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.slots = Slots(settings.max_num_seqs)
        self._reporter = Reporter(settings.report_to)
        self._created = int(time.time())
        self._count = 0

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Writes the whole answer to ``request``; ApiError where it is an error."""
        path = request.path.partition("?")[0]
        if path in ("/v1/chat/completions", "/v1/completions"):
            await self._completions(request, writer, chat="chat" in path)
        elif path == "/v1/embeddings":
            await self._embeddings(request.json(), writer)
        elif path == "/v1/models":
            await _send_json(writer, {"object": "list", "data": [self._card(n) for n in self._names]})
        elif path == "/health":
            await _send(writer, 200, "text/plain", b"")
        elif path == "/metrics":
            await _send(writer, 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics())
        else:
            raise ApiError(404, "NotFoundError", f"no such path: {path}")

    @property
    def _names(self) -> tuple[str, ...]:
        return self._settings.served_names

    def _card(self, name: str) -> dict[str, Any]:
        root = self._settings.model
        return {"id": name, "object": "model", "created": self._created, "owned_by": "vllm", "root": root}

    def _metrics(self) -> bytes:
        label = f'{{model_name="{self._names[0]}"}}'
        success = f'{{model_name="{self._names[0]}",finished_reason="stop"}}'
        lines = (
            "# TYPE vllm:num_requests_running gauge",
            f"vllm:num_requests_running{label} {self.slots.running}",
            "# TYPE vllm:num_requests_waiting gauge",
            f"vllm:num_requests_waiting{label} {self.slots.waiting}",
            "# TYPE vllm:request_success_total counter",
            f"vllm:request_success_total{success} {self.slots.succeeded}",
            "# TYPE engine_sim:requests_aborted_total counter",
            f"engine_sim:requests_aborted_total{label} {self.slots.aborted}",
        )
        return ("\n".join(lines) + "\n").encode()

    def _check_model(self, body: dict[str, Any]) -> str:
        model = body.get("model", self._names[0])
        if model not in self._names:
            raise ApiError(404, "NotFoundError", f"The model `{model}` does not exist.")
        return str(model)

    async def _completions(self, request: Request, writer: asyncio.StreamWriter, *, chat: bool) -> None:
        body = request.json()
        reply = Reply(self._check_model(body), body, chat=chat, number=self._next())
        async with self.slots.one():
            self._reporter.tell("begun", request)
            if body.get("stream"):
                await self._stream(reply, writer)
            else:
                await asyncio.sleep(self._unary_seconds(reply.tokens))
                await _send_json(writer, reply.whole())
            self._reporter.tell("ended", request)

    async def _stream(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, "text/event-stream; charset=utf-8", "transfer-encoding: chunked"))
        start, rate = time.monotonic(), self._settings.tokens_per_second
        for position, event in enumerate(reply.events()):
            due = start + position / rate if rate else 0.0  # absolute, so that the pace does not drift
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await _send_chunk(writer, f"data: {event}\n\n".encode())
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _unary_seconds(self, tokens: int) -> float:
        if self._settings.request_seconds is not None:
            return self._settings.request_seconds
        rate = self._settings.tokens_per_second
        return tokens / rate if rate else 0.0

    async def _embeddings(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        model = self._check_model(body)
        given = body.get("input", "")
        inputs = given if isinstance(given, list) else [given]
        encode = _as_base64 if body.get("encoding_format") == "base64" else _as_list
        async with self.slots.one():
            await asyncio.sleep(self._unary_seconds(0))
            data = [
                {"object": "embedding", "index": index, "embedding": encode(_vector(str(text)))}
                for index, text in enumerate(inputs)
            ]
            used = sum(len(str(text).split()) for text in inputs)
            usage = {"prompt_tokens": used, "total_tokens": used, "completion_tokens": 0}
            reply = {"id": f"embd-{self._next()}", "object": "list", "model": model, "data": data}
            await _send_json(writer, {**reply, "created": self._created, "usage": usage})

    def _next(self) -> int:
        self._count += 1
        return self._count


class Reply:
    """One completion: as a whole, or as the events of a stream."""

    def __init__(self, model: str, body: dict[str, Any], *, chat: bool, number: int) -> None:
        asked = body.get("max_completion_tokens") or body.get("max_tokens") or 16
        self.tokens = int(asked)
        self._body = body
        self._chat = chat
        kind = "chat.completion" if chat else "text_completion"
        prefix = "chatcmpl" if chat else "cmpl"
        self._base = {"id": f"{prefix}-{number}", "object": kind, "created": int(time.time()), "model": model}

    def whole(self) -> dict[str, Any]:
        """The answer of a request that does not stream."""
        text = "".join(self._token(index) for index in range(self.tokens))
        content = {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        return {**self._base, "choices": [self._choice(content, "length")], "usage": self._usage()}

    def events(self) -> list[str]:
        """The data of each event, [DONE] included; usage only where the client asked for it, as vLLM does."""
        deltas = [self._event([self._choice(self._delta(i), None)]) for i in range(self.tokens)]
        last = self._event([self._choice({"delta": {}} if self._chat else {"text": ""}, "length")])
        options = self._body.get("stream_options") or {}
        usage = [self._event([], self._usage())] if options.get("include_usage") else []
        return [*deltas, last, *usage, "[DONE]"]

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> str:
        event = dict(self._base)
        if self._chat:
            event["object"] = "chat.completion.chunk"
        return json.dumps({**event, "choices": choices, **({"usage": usage} if usage else {})})

    def _delta(self, index: int) -> dict[str, Any]:
        if not self._chat:
            return {"text": self._token(index)}
        role = {"role": "assistant"} if index == 0 else {}
        return {"delta": {**role, "content": self._token(index)}}

    @staticmethod
    def _token(index: int) -> str:
        return f" word{index}" if index else "word0"

    @staticmethod
    def _choice(content: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": 0, **content, "logprobs": None, "finish_reason": finish}

    def _usage(self) -> dict[str, int]:
        prompt = len(json.dumps(self._body.get("messages") or self._body.get("prompt") or "").split())
        total = prompt + self.tokens
        return {"prompt_tokens": prompt, "completion_tokens": self.tokens, "total_tokens": total}


def _vector(text: str) -> list[float]:
    """A unit vector that depends on the text alone."""
    digest = hashlib.shake_128(text.encode()).digest(EMBEDDING_DIMENSIONS)
    raw = [byte - 127.5 for byte in digest]
    length = sum(value * value for value in raw) ** 0.5
    return [value / length for value in raw]


def _as_list(vector: list[float]) -> list[float]:
    return vector


def _as_base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _head(status: int, content_type: str, framing: str) -> bytes:
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found", 411: "Length Required"}.get(status, "Error")
    return f"HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\n{framing}\r\n\r\n".encode()


async def _send(writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes) -> None:
    writer.write(_head(status, content_type, f"content-length: {len(body)}") + body)
    await writer.drain()


async def _send_json(writer: asyncio.StreamWriter, value: object, status: int = 200) -> None:
    await _send(writer, status, "application/json", json.dumps(value).encode())


async def _send_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection, None at its end; ApiError for a body without a length."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, version = lines[0].split(" ", 2)
    fields = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])}
    if "transfer-encoding" in fields:
        raise ApiError(411, "BadRequestError", "this engine reads bodies with a content-length only")
    length = int(fields.get("content-length", "0"))
    if length > MAX_BODY:
        raise ApiError(400, "BadRequestError", f"a body of {length} bytes is over this engine's {MAX_BODY}")
    body = await reader.readexactly(length)
    keep_alive = version == "HTTP/1.1" and fields.get("connection", "").lower() != "close"
    return Request(method, path, keep_alive, body, fields.get("x-request-id", ""))


class Connection(asyncio.StreamReaderProtocol):
    """One client: its requests in turn; a client that goes away cancels what runs for it."""

    def __init__(self, server: Server) -> None:
        reader = asyncio.StreamReader(limit=MAX_HEAD)
        super().__init__(reader, self._connected)
        self._server = server
        self._serving: asyncio.Task[None] | None = None
        self._gone = False
        self.busy = False

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving = asyncio.current_task()
        self.writer = writer
        self._server.connections.add(self)
        try:
            while not self._server.draining and await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        except asyncio.CancelledError:
            if not self._gone:
                raise
        finally:
            self._server.connections.discard(self)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        keep_alive = False
        try:
            request = await read_request(reader)
            if request is None:
                return False
            self.busy, keep_alive = True, request.keep_alive
            await self._server.engine.answer(request, writer)
        except ApiError as error:
            await _send_json(writer, error.body, error.status)
        finally:
            self.busy = False
        return keep_alive

    def eof_received(self) -> bool:
        self._cancel()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _cancel(self) -> None:
        self._gone = True
        if self._serving is not None:
            self._serving.cancel()


class Server:
    """The listening socket, and what SIGTERM does: stop accepting, finish what runs, exit."""

    def __init__(self, settings: Settings, serving: Callable[[], None]) -> None:
        self._settings = settings
        self._serving = serving
        self.engine = Engine(settings)
        self.connections: set[Connection] = set()
        self.draining = False

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then drains."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), self._settings.start_delay)
        if stop.is_set():
            return
        server = await loop.create_server(
            lambda: Connection(self), self._settings.host, self._settings.port, backlog=1024
        )
        self._serving()
        port = server.sockets[0].getsockname()[1]
        print(f"engine-sim: serving {', '.join(self._settings.served_names)} on port {port}", flush=True)
        await stop.wait()
        await self._drain(server)

    async def _drain(self, server: asyncio.Server) -> None:
        server.close()
        self.draining = True
        while self.connections:
            for connection in [c for c in self.connections if not c.busy]:
                connection.writer.close()
            await asyncio.sleep(0.01)


def main(argv: Sequence[str], serving: Callable[[], None] = lambda: None) -> int:
    """Runs the engine; the exit status. ``serving`` is called when its port is open."""
    settings = parse(argv)
    if settings.fail:
        time.sleep(settings.start_delay)
        print(settings.fail, file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):  # outside a pod there is no such file
            settings.termination_log.write_text(settings.fail + "\n")
        return 1
    asyncio.run(Server(settings, serving).run())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
