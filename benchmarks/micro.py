"""Nanoseconds of each step of an ordinary request inside the gateway, without sockets and the kernel.

The whole path is driven through a client connection and a worker's connection whose transports throw away
what is written; the steps are then called alone, with what the path gives them. The best run counts.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

import httptools

from harness.load import ANSWER, chat_body, chat_request
from harness.report import plain
from stream_load import CHUNK, HEAD
from tidegate.domain.flow_ticket import Endpoint, Ticket
from tidegate.domain.service import ServiceConfig, ServiceKey, ServiceView, Worker
from tidegate.gateway.accesslog import AccessLog
from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.connection import ClientConnection
from tidegate.gateway.endings import own_fields
from tidegate.gateway.exchange import Exchange
from tidegate.gateway.fleet import Fleet
from tidegate.gateway.heads import SameHead
from tidegate.gateway.passage import answer_head, request_head
from tidegate.gateway.peek import peek
from tidegate.gateway.request import Head
from tidegate.gateway.request_reader import RequestReader
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.traffic import Traffic
from tidegate.gateway.upstream import Upstream

REPEATS, NUMBER = 5, 20_000
NAME, FULL = "requests", "full"
REQUEST, REFUSED = (chat_request(name) for name in (NAME, FULL))
RAW_ANSWER_HEAD = (
    b"HTTP/1.1 200 OK\r\nserver: w\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
ANSWER_BYTES = RAW_ANSWER_HEAD % len(ANSWER) + ANSWER.encode()
WORKER = Worker("w", 0, "127.0.0.1", 9000, ready=True, terminating=False, stage="started")


class Nowhere(asyncio.Transport):
    """A transport whose other end reads everything at once."""

    def write(self, data: Any) -> None:
        """Throws ``data`` away."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def abort(self) -> None:
        """Nothing to close."""


class NoSubstrate:
    """Tells nothing; the benchmark tells the fleet itself."""

    async def watch(self, sink: object) -> None:
        """Ends at once."""

    async def wake(self, key: ServiceKey) -> bool:
        """Nothing sleeps here."""
        return bool(key)


class Path:
    """A gateway without sockets: one client, one worker, one service that serves and one that is full."""

    def __init__(self) -> None:
        settings = GatewaySettings()
        self.fleet = Fleet(settings, NoSubstrate(), time.monotonic)
        for name, depth in ((NAME, 2000), (FULL, 0)):
            config = ServiceConfig(
                ServiceKey("bench", name), 0.0, (name,), max_concurrency=1000, max_depth=depth
            )
            self.fleet.service_changed(ServiceView(config, (WORKER,)))
        self.service = self.fleet.services[ServiceKey("bench", NAME)]
        self.endpoint: Endpoint = self.service.flow.endpoints[0]
        self.pool = self.service.pool(self.endpoint)
        self.log = AccessLog(lambda _data: None)
        self.traffic = Traffic(settings, self.fleet, self.log, time.monotonic)
        self.client = ClientConnection(self.traffic, time.monotonic)
        self.client.connection_made(Nowhere())
        self.upstream = Upstream(self.pool.release)
        self.upstream.connection_made(Nowhere())
        self.pool.release(self.upstream)

    def request(self) -> None:
        """One chat request and its answer."""
        self.client.data_received(REQUEST)
        self.upstream.data_received(ANSWER_BYTES)

    def refusal(self) -> None:
        """One 429."""
        self.client.data_received(REFUSED)

    def running(self) -> Exchange:
        """A request that is with the worker now."""
        self.client.data_received(REQUEST)
        current = self.client.current
        if not isinstance(current, Exchange):
            raise SystemExit("micro: the request did not reach the worker")
        return current


def wholes(path: Path) -> dict[str, Callable[[], object]]:
    """Whole paths; the last leaves a stream under way."""
    chunk, received = CHUNK % 1.0, path.upstream.data_received

    def begin_stream() -> None:
        path.running()
        received(HEAD + chunk)

    return {
        "a whole request": path.request,
        "a whole 429": path.refusal,
        "(a stream begins)": begin_stream,
        "a streamed chunk": lambda: received(chunk),
    }


def steps(path: Path) -> dict[str, Callable[[], object]]:
    """The steps of a request, each alone."""
    exchange = path.running()
    request, head = exchange.request, exchange.request.head
    path.upstream.data_received(ANSWER_BYTES)
    raw = REQUEST[: REQUEST.index(b"\r\n\r\n") + 4]
    raw_answer = ANSWER_BYTES[: ANSWER_BYTES.index(b"\r\n\r\n") + 4]
    answer, body = AnswerHead(raw_answer), chat_body(NAME).encode()
    reader = RequestReader(lambda: 1 << 26)
    same, same_answer = SameHead(raw), SameHead(raw_answer)
    judge = httptools.HttpRequestParser(object())
    judge_answer = httptools.HttpResponseParser(object())
    traffic, arbiter, router = path.traffic, path.service.arbiter, path.fleet.router

    def feed() -> None:
        reader.feed(REQUEST)
        reader.requests.popleft()

    def ask_and_done() -> None:
        ticket = Ticket(exchange, 2500)
        arbiter.ask(ticket, body_read=True)
        arbiter.done(ticket)

    return {
        "reader.feed, the head as before": feed,
        "  llhttp alone, 2.5 KB": lambda: judge.feed_data(REQUEST),
        "  the head compared": lambda: same.end_in(REQUEST),
        "(a Head read anew)": lambda: Head(raw),
        "Exchange()": lambda: Exchange(traffic, path.client, request, 1.0),
        "router.by_address": lambda: router.by_address(head.host, head.target),
        "peek, 2.5 KB": lambda: peek(body),
        "router.by_model": lambda: router.by_model(NAME),
        "Ticket, arbiter.ask, arbiter.done": ask_and_done,
        "service.arrived": lambda: path.service.arrived(1.0),
        "request_head": lambda: request_head(request, b"/v1/chat/completions", path.pool.authority, b"id-1"),
        "request_head + body": lambda: raw + body,
        "llhttp alone, the answer": lambda: judge_answer.feed_data(ANSWER_BYTES),
        "the answer's head compared": lambda: same_answer.end_in(ANSWER_BYTES),
        "(an AnswerHead read anew)": lambda: AnswerHead(raw_answer),
        "own_fields": lambda: own_fields(exchange),
        "answer_head": lambda: answer_head(answer, raw_answer, b"x-request-id: 1\r\n", close=False),
        "books.ended, its line and its share of a batch": lambda: traffic.books.ended(exchange),
        "time.monotonic": time.monotonic,
    }


def halves(path: Path) -> list[list[str]]:
    """The whole request in two: until the worker has it, and from its answer on."""
    before = after = 0
    clock, there, back = time.perf_counter_ns, path.client.data_received, path.upstream.data_received
    for _ in range(NUMBER):
        start = clock()
        there(REQUEST)
        middle = clock()
        back(ANSWER_BYTES)
        before, after = before + middle - start, after + clock() - middle
    path.log.flush()
    rows = (("  of it until the worker has it", before), ("  of it from the answer on, books too", after))
    return [[name, f"{spent / NUMBER:8.0f}"] for name, spent in rows]


def nanoseconds(step: Callable[[], object], log: AccessLog) -> float:
    """Of one call, in the best run."""
    once = timeit.Timer(step)
    best = []
    for _ in range(REPEATS):
        best.append(once.timeit(NUMBER) / NUMBER * 1e9)
        log.flush()
    return min(best)


async def main() -> int:
    """Prints the table."""
    path = Path()
    gc.collect()
    gc.freeze()
    table = [["step", "ns"]]
    for name, step in (steps(path) | wholes(path)).items():
        if name == "(a stream begins)":
            step()
            continue
        table.append([name, f"{nanoseconds(step, path.log):8.0f}"])
        if name == "a whole request":
            table += halves(path)
    print(plain(table))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
