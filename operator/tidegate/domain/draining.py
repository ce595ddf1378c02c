"""Workers that finish: they take nothing new, and hold their devices until they have ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.domain.reasons import Reason
from tidegate.domain.timestamps import to_timestamp
from tidegate.domain.workers import WorkerFacts


@dataclass(frozen=True, slots=True)
class Draining:
    """``until``: Unix time at which the last of them is ended at the latest. ``lost``: those of them whose
    node does not answer, so that nobody can end them."""

    count: int = 0
    until: float = 0.0
    lost: int = 0
    devices: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """``1 worker finishes and holds its nvidia.com/gpu until 2026-…Z at most``; empty where none does."""
        parts = [self._finishing] if self.count else []
        if self.lost:
            parts.append(f"{_workers(self.lost)} cannot be ended while the node does not answer")
        return "; ".join(parts)

    @property
    def _finishing(self) -> str:
        several = self.count > 1
        held = " and ".join(self.devices) or "cores and memory"
        verbs = "finish and hold their" if several else "finishes and holds its"
        return f"{_workers(self.count)} {verbs} {held} until {to_timestamp(self.until)} at most"


NONE_DRAINING = Draining()


def draining_of(workers: Iterable[WorkerFacts]) -> Draining:
    """Those that are on their way out and have not ended."""
    ending = [worker for worker in workers if worker.terminating and not worker.ended]
    lost = [worker for worker in ending if worker.cause and worker.cause.reason == Reason.NODE_LOST]
    rest = [worker for worker in ending if worker not in lost]
    return Draining(
        count=len(rest),
        until=max((worker.gone_by or 0.0 for worker in rest), default=0.0),
        lost=len(lost),
        devices=tuple(sorted({device for worker in rest for device in worker.devices})),
    )


def _workers(count: int) -> str:
    return f"{count} worker" + ("s" if count > 1 else "")
