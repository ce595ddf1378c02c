"""Asks each ready worker what cores it has, when it becomes ready and every minute, and remembers it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import httpx
import msgspec

from tidegate.control.bounded import bounded
from tidegate.domain.evidence import Looks, WorkerEvidence, parse_evidence
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import WorkerFacts
from tidegate.resources.names import WORKER_ISOLATION_PORT

_logger = logging.getLogger(__name__)

_BUDGET = 2.0  # seconds for one worker's answer
_MOST_BYTES = 65536  # a list of a thousand single cores has 5,000


@dataclass(frozen=True, slots=True)
class Target:
    """A worker that is looked at."""

    uid: str
    host: str
    node: str
    cores: int | None  # that it asked for, where it is Guaranteed
    since: float | None  # when it became ready: one that was not for a while is looked at anew
    key: ServiceKey


class EvidenceBoard:
    """Which workers are looked at, and what they have told. Passes set the first and read the second."""

    def __init__(self) -> None:
        self._targets: dict[ServiceKey, dict[str, Target]] = {}
        self._looks: dict[str, Looks] = {}
        self._told: dict[str, tuple[object, ...]] = {}  # what verdicts depend on, at the last look
        self.news = asyncio.Event()  # a worker is to be looked at for the first time

    def follow(self, key: ServiceKey, workers: Iterable[WorkerFacts]) -> None:
        """These workers of a service are ready; what is known of its others is forgotten."""
        wanted = {each.uid: _target(key, each) for each in workers if each.ready and each.host}
        before = self._targets.pop(key, {})
        for uid in before.keys() - wanted.keys():
            self._looks.pop(uid, None)
            self._told.pop(uid, None)
        if wanted:
            self._targets[key] = wanted
        if wanted.items() - before.items():
            self.news.set()

    def targets(self) -> list[Target]:
        """Every worker that is looked at."""
        return [target for targets in self._targets.values() for target in targets.values()]

    def follows(self, target: Target) -> bool:
        """Whether this worker is still looked at, at this address."""
        return self._targets.get(target.key, {}).get(target.uid) == target

    def looks(self, uid: str) -> Looks | None:
        """What a worker has told; None: it was not asked yet."""
        return self._looks.get(uid)

    def take(self, target: Target, evidence: WorkerEvidence | None, now: float) -> bool:
        """One look more; whether it may change a verdict."""
        looks = self._looks.get(target.uid, Looks()).after(evidence, now)
        before, told = self._told.get(target.uid), _told(looks, now)
        self._looks[target.uid], self._told[target.uid] = looks, told
        return before != told


def _target(key: ServiceKey, worker: WorkerFacts) -> Target:
    cores = worker.cores if worker.guaranteed else None
    return Target(worker.uid, worker.host, worker.node, cores, worker.ready_since, key)


def _told(looks: Looks, now: float) -> tuple[object, ...]:
    cores = looks.evidence and (looks.evidence.container, looks.evidence.node, looks.evidence.quota)
    trouble = looks.throttled(now) is not None, looks.disturbed(now) is not None
    return looks.pending, cores, trouble, looks.young(now)


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """``changed``: a service's verdict may be another. ``node_told``: a Guaranteed worker on a node has cores
    of its own, or has not, and since which Unix time it is ready. Seconds: ``first`` until the second look,
    then ``every``, 20 % more or less."""

    changed: Callable[[ServiceKey], None]
    node_told: Callable[[str, bool, float], Awaitable[None]]
    port: int = WORKER_ISOLATION_PORT
    first: float = 5.0
    every: float = 60.0
    at_once: int = 16
    now: Callable[[], float] = time.time
    jitter: Callable[[float, float], float] = random.uniform


class EvidenceWatch:
    """Looks at every worker on the board; the leader runs it."""

    def __init__(self, board: EvidenceBoard, client: httpx.AsyncClient, settings: EvidenceSettings) -> None:
        self._board = board
        self._client = client
        self._settings = settings
        self._gate = asyncio.Semaphore(settings.at_once)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        looked_at: set[Target] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                self._board.news.clear()
                for target in set(self._board.targets()) - looked_at:
                    looked_at.add(target)
                    group.create_task(self._look_after(target, looked_at))
                await self._board.news.wait()

    async def _look_after(self, target: Target, looked_at: set[Target]) -> None:
        """One worker, until it is not followed any more; whatever is odd about it, others are looked at."""
        while self._board.follows(target):
            try:
                await self._look(target)
            except Exception:
                _logger.exception(
                    "%s: looking at a worker failed for a reason that is not foreseen", target.key
                )
            await asyncio.sleep(self._pause(target) * self._settings.jitter(0.8, 1.2))
        looked_at.discard(target)

    def _pause(self, target: Target) -> float:
        """Throttled periods are judged by two looks, so the second one follows soon."""
        looks = self._board.looks(target.uid)
        soon = looks is not None and looks.pending
        return self._settings.first if soon else self._settings.every

    async def _look(self, target: Target) -> None:
        async with self._gate:
            evidence = await self._ask(target.host)
        if not self._board.follows(target):
            return
        if self._board.take(target, evidence, self._settings.now()):
            self._settings.changed(target.key)
        if evidence and target.cores and (evidence.exclusive(target.cores) or evidence.shared(target.cores)):
            exclusive = evidence.exclusive(target.cores)
            await self._settings.node_told(target.node, exclusive, target.since or 0.0)

    async def _ask(self, host: str) -> WorkerEvidence | None:
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{self._settings.port}/isolation"
        try:
            async with asyncio.timeout(_BUDGET), self._client.stream("GET", url) as response:
                body = await bounded(response, _MOST_BYTES) if response.status_code == 200 else b""
            return parse_evidence(msgspec.json.decode(body)) if body else None
        except (httpx.HTTPError, TimeoutError, ValueError) as error:  # DecodeError is a ValueError
            _logger.debug("worker %s does not tell what cores it has: %s", host, error)
            return None
