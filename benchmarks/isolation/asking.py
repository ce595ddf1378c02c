"""Asks a worker and notes when what came, as ``curl -w`` and a reader of the stream would.

    python3 asking.py     the plan as JSON on stdin; on stdout the requests as JSON

It stands for a client on another machine: it may not wait for a core itself, or its own delay would be taken
for the worker's. So it runs on the first core, at real-time priority where the kernel lets it, and it only
notes times while an answer comes; it looks into what it read afterwards.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

BUFFER = 1 << 16
PATIENCE = 120.0  # seconds without a byte
EVENT = b"data: "


@dataclass(frozen=True)
class Plan:
    """Up to ``most`` requests, one after another, to the hosts in turn; after ``seconds`` none begins but the
    first to each host."""

    hosts: Sequence[str]
    port: int
    path: str
    body: str
    most: int
    seconds: float


@dataclass(frozen=True)
class Asked:
    """One request, in seconds; curl's time_connect, time_starttransfer and time_total. ``first`` is the first
    event of a stream, ``gaps`` lie between reads that brought events."""

    status: int
    connect: float
    starttransfer: float
    total: float
    first: float | None
    gaps: Sequence[float]


def ask(host: str, plan: Plan) -> Asked:
    """One request on a connection of its own. OSError where there is no connection or no answer in time."""
    begun = time.perf_counter()
    with socket.create_connection((host, plan.port), PATIENCE) as connection:
        connected = time.perf_counter()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request(host, plan))
        reads = []
        while data := connection.recv(BUFFER):
            reads.append((time.perf_counter(), data))
    return judged(begun, connected, reads)


def request(host: str, plan: Plan) -> bytes:
    """The request's bytes; the worker closes the connection after its answer."""
    body = plan.body.encode()
    head = f"POST {plan.path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def judged(begun: float, connected: float, reads: Sequence[tuple[float, bytes]]) -> Asked:
    """What moments and bytes come to."""
    if not reads:
        return Asked(0, connected - begun, 0.0, 0.0, None, ())
    events = [at for at, data in reads if EVENT in data]
    gaps = [later - earlier for earlier, later in pairwise(events)]
    return Asked(
        status=int(reads[0][1].split(b" ", 2)[1]),
        connect=connected - begun,
        starttransfer=reads[0][0] - begun,
        total=reads[-1][0] - begun,
        first=events[0] - begun if events else None,
        gaps=gaps,
    )


def stand_aside() -> str:
    """Takes the first core and a priority above all others; what came of it."""
    with suppress(OSError):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return "ordinary priority"
    return "real-time priority"


def run(plan: Plan) -> list[dict[str, Any]]:
    """All requests of a plan."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + plan.seconds
    while len(found) < plan.most and (len(found) < len(plan.hosts) or time.monotonic() < end):
        found.append(asdict(ask(plan.hosts[len(found) % len(plan.hosts)], plan)))
    return found


def main() -> None:
    priority = stand_aside()
    print(json.dumps({"client": priority, "requests": run(Plan(**json.load(sys.stdin)))}))


if __name__ == "__main__":
    main()
