"""The workers: those that start, serve and drain, and what is paid for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tidegate.domain.flow_ticket import Endpoint, EndpointKey
from tidegate.simulation.batch import Batch
from tidegate.simulation.engine import Engine
from tidegate.simulation.loop import Loop


@dataclass(slots=True, eq=False)
class Worker:
    """One worker; times in seconds."""

    key: EndpointKey
    created: float
    batch: Batch
    ready_since: float | None = None
    draining: bool = False


class Fleet:
    """As many workers as are asked for. A start is paid from its first second, a worker that drains until its
    last request has ended: both hold their devices.

    ``changed`` is called when a worker became ready or is gone.
    """

    def __init__(
        self, engine: Engine, loop: Loop, chance: random.Random, duration: float, changed: Callable[[], None]
    ) -> None:
        self.replicas = 0  # what is asked for
        self.started = 0  # workers so far
        self.starting: list[Worker] = []
        self.ready: list[Worker] = []
        self.oldest = 0.0  # when the oldest worker was created that is asked for; 0 for none
        self.newest_ready: float | None = None  # since when the worker is ready that became so last
        self.paid_seconds = 0.0  # of those that are gone
        self.last_cold_start: float | None = None  # seconds of the last start with no other worker ready
        self.engine, self._loop, self._chance = engine, loop, chance
        self._duration = duration  # nothing is paid after it
        self._changed = changed
        self._draining: dict[str, Worker] = {}
        self._by_uid: dict[str, Worker] = {}

    def prepare(self, count: int) -> None:
        """So many are ready from the first moment; their starts lie before it, and are paid."""
        self.replicas = count
        for _ in range(count):
            worker = self._new(self._loop.now - self.engine.start(self._chance))
            self.last_cold_start = self._loop.now - worker.created
            worker.ready_since = self._loop.now
            self.ready.append(worker)
        self._note()

    def ask(self, count: int, endpoints: Iterable[Endpoint]) -> bool:
        """Starts those that are missing, stops those too many; ``endpoints``: what runs on which. True: the
        workers that take requests are not the same any more."""
        self.replicas = count
        alive = len(self.starting) + len(self.ready)
        for _ in range(count - alive):
            self._start()
        surplus = alive - count
        while surplus > 0 and self.starting:
            self._gone(self.starting.pop())
            surplus -= 1
        drained = surplus > 0 and self._drain(surplus, endpoints)
        self._note()
        return drained

    def worker(self, endpoint: Endpoint) -> Worker:
        """Who is behind an endpoint."""
        return self._by_uid[endpoint.key.uid]

    def idle(self, endpoint: Endpoint) -> None:
        """Nothing runs there any more: a worker that drains is gone."""
        worker = self._draining.pop(endpoint.key.uid, None)
        if worker is not None:
            self._gone(worker)
            self._changed()

    def total_paid(self) -> float:
        """Worker-seconds up to now, or to the end of what is paid."""
        alive = (*self.starting, *self.ready, *self._draining.values())
        return self.paid_seconds + sum(self._paid(worker) for worker in alive)

    def _note(self) -> None:
        """What every look wants to know changes only with the workers."""
        self.oldest = min((worker.created for worker in (*self.starting, *self.ready)), default=0.0)
        self.newest_ready = max((worker.ready_since or 0.0 for worker in self.ready), default=None)

    def _new(self, created: float) -> Worker:
        self.started += 1
        key = EndpointKey(f"worker-{self.started}", 0, "", 0)
        worker = self._by_uid[key.uid] = Worker(key, created, Batch(self.engine, self._loop))
        return worker

    def _start(self) -> None:
        worker = self._new(self._loop.now)
        self.starting.append(worker)
        self._loop.at(self._loop.now + self.engine.start(self._chance), lambda: self._became_ready(worker))

    def _became_ready(self, worker: Worker) -> None:
        if worker in self.starting:
            self.starting.remove(worker)
            worker.ready_since = self._loop.now
            if not self.ready:
                self.last_cold_start = self._loop.now - worker.created
            self.ready.append(worker)
            self._note()
            self._changed()

    def _drain(self, count: int, endpoints: Iterable[Endpoint]) -> bool:
        """Those that run the fewest requests, of equals the ones that became ready last."""
        running = {endpoint.key.uid: endpoint.in_flight for endpoint in endpoints}
        newest_first = self.ready[::-1]
        order = sorted(newest_first, key=lambda worker: running.get(worker.key.uid, 0))
        for worker in order[:count]:
            self.ready.remove(worker)
            worker.draining = True
            if running.get(worker.key.uid, 0):
                self._draining[worker.key.uid] = worker
            else:
                self._gone(worker)
        return True

    def _gone(self, worker: Worker) -> None:
        self.paid_seconds += self._paid(worker)
        self._by_uid.pop(worker.key.uid, None)

    def _paid(self, worker: Worker) -> float:
        return max(0.0, min(self._loop.now, self._duration) - worker.created)
