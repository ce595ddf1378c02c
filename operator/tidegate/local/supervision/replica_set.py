"""Which workers begin and which end, so that there are as many as there should be: a pure decision.

It is what a Deployment's controllers do, on a machine whose cores are few: there is never more than one
worker beyond the most, those that end included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.domain.workers import WorkerFacts


@dataclass(frozen=True, slots=True)
class Goal:
    """``template``: the hash of what workers are made from now. ``most``: workers that may be asked for at
    any load. ``surge``: a new worker begins before an old one ends, where there is room for it."""

    replicas: int
    template: str
    most: int
    surge: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """``end``: by name. ``no_room``: a new worker found no cores beside an old one, which therefore ends
    first."""

    begin: int = 0
    end: tuple[str, ...] = ()
    no_room: bool = False


def next_steps(goal: Goal, workers: Sequence[WorkerFacts]) -> Steps:
    """What is due now; when a worker has begun, is ready or has ended, more may be."""
    over = tuple(worker.name for worker in workers if worker.ended and not worker.terminating)
    present = [worker for worker in workers if worker.terminating or not worker.ended]
    alive = [worker for worker in present if worker.alive]
    room = max(0, max(goal.most, goal.replicas) + 1 - len(present))
    old = [worker for worker in alive if worker.template != goal.template]
    if goal.replicas == 0 or not old:
        found = _sized(goal, present, alive, room)
    elif goal.surge:
        found = _surged(goal, present, alive, room)
    else:
        found = Steps(end=_names(old))
    return Steps(found.begin, (*over, *found.end), found.no_room)


def _sized(goal: Goal, present: Sequence[WorkerFacts], alive: Sequence[WorkerFacts], room: int) -> Steps:
    surplus = len(alive) - goal.replicas
    if surplus >= 0:
        return Steps(end=_names(_first_to_go(alive)[:surplus]))
    outdated = any(worker.template != goal.template for worker in present)
    if outdated and not goal.surge:
        return Steps()  # rollout Replace: the new ones begin when the last old one has ended
    return Steps(begin=min(-surplus, room))


def _surged(goal: Goal, present: Sequence[WorkerFacts], alive: Sequence[WorkerFacts], room: int) -> Steps:
    """One more than there should be at most, and never fewer ready ones than before: 1 old → 1 old and 1 new
    → 1 new."""
    new = [worker for worker in alive if worker.template == goal.template]
    old = [worker for worker in alive if worker.template != goal.template]
    begin = min(goal.replicas - len(new), goal.replicas + 1 - len(alive), room)
    spare = max(0, sum(1 for worker in alive if worker.ready) - goal.replicas)
    ready = [worker for worker in old if worker.ready]
    end = [worker for worker in old if not worker.ready] + _first_to_go(ready)[:spare]
    end += _first_to_go(new)[: max(0, len(new) - goal.replicas)]
    waits = any(worker.cause and not worker.node for worker in new)
    if waits and not end and len(alive) == len(present):
        return Steps(end=_names(_first_to_go(old)[:1]), no_room=True)
    return Steps(begin=max(0, begin), end=_names(end))


def _first_to_go(workers: Sequence[WorkerFacts]) -> list[WorkerFacts]:
    """As a ReplicaSet has it: without a node, not ready, cheap to delete, young."""
    return sorted(
        workers,
        key=lambda each: (bool(each.node), each.ready, each.deletion_cost, -each.created, each.name),
    )


def _names(workers: Sequence[WorkerFacts]) -> tuple[str, ...]:
    return tuple(worker.name for worker in workers)
