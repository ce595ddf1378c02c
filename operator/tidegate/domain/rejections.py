"""Workers that a kubelet refuses to run: a ReplicaSet makes the next one at once, a hundred a second.

Everything is derived from the pods that were refused, so a restart of the operator forgets nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.domain.causes import Cause
from tidegate.domain.reasons import Reason
from tidegate.domain.workers import WorkerFacts

TOLERATED = 1  # a core that is just being freed may refuse one worker and take the next
FIRST_SECONDS = 30.0
LONGEST_SECONDS = 1800.0
ATTEMPT_SECONDS = 20.0  # rejections further apart belong to two attempts; the least pause is longer
FORGOTTEN_SECONDS = 3600.0  # an attempt so long after the last one is a first one again


@dataclass(frozen=True, slots=True)
class BackOff:
    """Nobody should be started before ``until`` (Unix seconds), and why; ``attempts`` failed in a row."""

    until: float
    attempts: int
    cause: Cause


def back_off(workers: Iterable[WorkerFacts], template: str) -> BackOff | None:
    """The pause after the rejections of one pod template, which may be over; None where none is due.

    30 s after the first attempt, doubled with each that follows within an hour, half an hour at most: 30, 60,
    120, … 1,800.
    """
    refused = [worker for worker in workers if worker.rejected and worker.template == template]
    attempts = _recent(_attempts(sorted(refused, key=lambda worker: (worker.created, worker.name))))
    if sum(len(attempt) for attempt in attempts) <= TOLERATED:
        return None
    last = attempts[-1][-1]
    pause = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(len(attempts) - 1, 16))
    return BackOff(last.created + pause, len(attempts), _cause(last))


def _attempts(refused: Sequence[WorkerFacts]) -> list[list[WorkerFacts]]:
    """Runs of rejections close to each other."""
    attempts: list[list[WorkerFacts]] = []
    for worker in refused:
        if attempts and worker.created - attempts[-1][-1].created <= ATTEMPT_SECONDS:
            attempts[-1].append(worker)
        else:
            attempts.append([worker])
    return attempts


def _recent(attempts: list[list[WorkerFacts]]) -> list[list[WorkerFacts]]:
    """Those at the end that follow each other within the hour."""
    first = len(attempts) - 1
    while first > 0 and attempts[first][0].created - attempts[first - 1][-1].created <= FORGOTTEN_SECONDS:
        first -= 1
    return attempts[max(first, 0) :]


def _cause(worker: WorkerFacts) -> Cause:
    said = worker.cause or Cause(Reason.POD_FAILED, "its kubelet says no more")
    text = f"the kubelet of {worker.node or 'its node'} rejects the workers: {said.message}. "
    retry = "The next try is not made before status.scaling.backoffUntil, or when the spec changes"
    return Cause(said.reason, text + retry)
