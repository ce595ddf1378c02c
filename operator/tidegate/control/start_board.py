"""Which workers' starts are asked about, and what was found; passes set the first and read the second."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tidegate.domain.service import ServiceKey
from tidegate.domain.start_parts import Details
from tidegate.domain.workers import WorkerFacts


@dataclass(frozen=True, slots=True)
class StartTarget:
    """A worker that became ready, and whose start is told in parts."""

    key: ServiceKey
    uid: str
    host: str


class StartBoard:
    """The last start of each service, and no other."""

    def __init__(self) -> None:
        self._wanted: dict[ServiceKey, StartTarget] = {}
        self._found: dict[ServiceKey, tuple[str, Details]] = {}
        self.news = asyncio.Event()  # somebody is to be asked about

    def want(self, key: ServiceKey, worker: WorkerFacts) -> None:
        """Have this worker's start asked about, once."""
        target = StartTarget(key, worker.uid, worker.host)
        if self.details(key, worker.uid) is None and self._wanted.get(key) != target:
            self._wanted[key] = target
            self.news.set()

    def details(self, key: ServiceKey, uid: str) -> Details | None:
        """What was found; None: nobody has answered yet."""
        found = self._found.get(key)
        return found[1] if found and found[0] == uid else None

    def wanted(self) -> list[StartTarget]:
        """Those that were not asked about yet."""
        return list(self._wanted.values())

    def take(self, target: StartTarget, details: Details) -> bool:
        """What was found; False where nobody wants to know it any more."""
        if self._wanted.get(target.key) != target:
            return False
        del self._wanted[target.key]
        self._found[target.key] = target.uid, details
        return True

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._wanted.pop(key, None)
        self._found.pop(key, None)
