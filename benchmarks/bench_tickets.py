"""What a ticket costs where the arbiter is another gateway: CPU of either process for ask, go and done.

Two processes over loopback, 64 tickets in flight: as soon as one runs it ends, and another one is asked for.
CPU time is the kernel's account of each process; clients and workers are not part of it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from tidegate.domain.api_errors import ApiError
from tidegate.domain.arbiter import Arbiter
from tidegate.domain.flow_ticket import Endpoint, EndpointKey, Ticket
from tidegate.domain.peers import Address
from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.gateway.mesh import Mesh
from tidegate.gateway.peer_source import StaticPeers
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.shared_arbiter import SharedArbiter

ROOT = Path(__file__).parents[1]
ROUNDS, TICKETS, IN_FLIGHT, GOAL = 7, 100_000, 64, 5.0
CONFIG = ServiceConfig(ServiceKey("bench", "bench"), 0.0, ("m",), max_concurrency=128, max_depth=128)


class Side:
    """One gateway without clients and workers."""

    def __init__(self, port: int, peers: Iterable[Address]) -> None:
        settings = GatewaySettings(peer_port=port)
        self.mesh = Mesh(settings, StaticPeers(peers), time.monotonic, lambda _: None)
        self.queue = SharedArbiter(CONFIG, time.monotonic, lambda: None, lambda *_: None)
        remote = RemoteArbiter(CONFIG, self.queue.flow.clock, time.monotonic, lambda _: None)
        self.arbiter: Arbiter = self.queue
        self.seat = self.mesh.take_seat(self.queue, remote, self._moved)

    def _moved(self, arbiter: Arbiter) -> None:
        self.arbiter = arbiter


def serve(pipe: Connection, ports: tuple[int, int]) -> None:
    """The arbiter's process: tells its CPU seconds whenever it is asked."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    async def main() -> None:
        side = Side(ports[0], [("127.0.0.1", ports[1])])
        side.queue.set_endpoints([EndpointKey("w", 0, "127.0.0.1", 1)])
        await side.mesh.start()
        side.mesh.set_ready(ready=True)
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe.fileno(), asked.set)
        while True:
            await asked.wait()
            if pipe.recv() == "end":
                break
            asked.clear()
            pipe.send(time.process_time())
        await side.mesh.close()

    uvloop.run(main())


class Request:
    """Ends as soon as it runs, and asks for the next one."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._ticket = Ticket(self, 2500)

    def start(self) -> None:
        self._ticket = Ticket(self, 2500)
        self._load.arbiter.ask(self._ticket, body_read=True)

    def granted(self, _endpoint: Endpoint) -> None:
        self._load.arbiter.done(self._ticket)
        self._load.count -= 1
        if self._load.count > 0:
            self.start()
        elif self._load.count == 1 - IN_FLIGHT:
            self._load.over.set()

    def evicted(self, error: ApiError) -> None:
        raise SystemExit(error.message)

    def admitted(self) -> None:
        """It never waits here."""


class Load:
    """``TICKETS`` of them, ``IN_FLIGHT`` at a time."""

    def __init__(self, side: Side) -> None:
        self.arbiter = side.arbiter
        self.count = TICKETS
        self.over = asyncio.Event()

    async def run(self) -> None:
        for _ in range(IN_FLIGHT):
            Request(self).start()
        await self.over.wait()


async def measure(pipe: Connection, ports: tuple[int, int]) -> list[dict[str, float]]:
    """The rounds: µs of CPU a ticket on either side, tickets a second."""
    side = Side(ports[1], [("127.0.0.1", ports[0])])
    await side.mesh.start()
    while side.seat.here or side.seat.remote.link is None:  # noqa: ASYNC110 - the other process decides
        await asyncio.sleep(0.05)
    rounds = []
    for number in range(ROUNDS + 1):
        before, begun = (time.process_time(), _cpu_of(pipe)), time.monotonic()
        await Load(side).run()
        seconds, after = time.monotonic() - begun, (time.process_time(), _cpu_of(pipe))
        member, arbiter = ((b - a) / TICKETS * 1e6 for a, b in zip(before, after, strict=True))
        if number:  # the first one warms up
            rounds.append({"member_us": member, "arbiter_us": arbiter, "per_second": TICKETS / seconds})
    await side.mesh.close()
    return rounds


def _cpu_of(pipe: Connection) -> float:
    pipe.send("cpu")
    return float(pipe.recv())


def _free_ports() -> tuple[int, int]:
    import socket  # noqa: PLC0415

    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def main() -> int:
    """Runs, prints the table, writes the file; 1 where a goal is missed."""
    ours, theirs = multiprocessing.Pipe()
    ports = _free_ports()
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, ports))
    child.start()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        rounds = uvloop.run(measure(ours, ports))
    finally:
        ours.send("end")
        child.join(10)
        child.kill()
    figures = [
        {
            "name": f"CPU of the {side} for a ticket",
            "value": round(value, 2),
            "unit": "µs",
            "goal": GOAL,
            "direction": "min",
            "met": value <= GOAL,
        }
        for side in ("member", "arbiter")
        for value in [statistics.median(one[f"{side}_us"] for one in rounds)]
    ]
    result = {
        "name": "tickets",
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "figures": figures,
        "rounds": rounds,
    }
    for figure in figures:
        print(f"{figure['name']:34} {figure['value']:>8} {figure['unit']}  goal {figure['goal']}")
    file = ROOT / "benchmarks" / "results" / "tickets.json"
    file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(figure["met"] for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
