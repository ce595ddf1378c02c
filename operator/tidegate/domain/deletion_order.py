"""Which workers of a surplus go first: those with the least in flight.

A ReplicaSet that shrinks deletes first what is not ready, and of what is ready the pods with the lowest
``controller.kubernetes.io/pod-deletion-cost`` (absent: 0); only among equals it looks at nodes and ages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
LOWEST_COST = -(2**31)  # Kubernetes reads an int32


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ready worker. ``cost``: its annotation's; ``active``: the requests that run or wait there, infinity
    where it does not tell, so that nobody takes it for idle."""

    name: str
    cost: int
    active: float


def costs_to_write(candidates: Sequence[Candidate], leave: int) -> dict[str, int]:
    """The costs by which the ``leave`` least busy of the candidates go first, by name.

    Empty where any of them may go, since all are as busy, or where the costs that are there say it already.
    Only workers that go get one, so that none is left behind: of 3 workers with 9, 0 and 4 requests, of which
    2 leave, the second and the third get -1.
    """
    ranked = sorted(candidates, key=lambda each: (each.active, each.cost, each.name))
    going, staying = ranked[: max(leave, 0)], ranked[leave:]
    if not going or not staying or ranked[0].active == ranked[-1].active:
        return {}
    bound = min(each.cost for each in staying)
    if bound == LOWEST_COST:
        return {}
    return {each.name: bound - 1 for each in going if each.cost >= bound}


def cost_of(annotation: object) -> int:
    """The cost that Kubernetes reads in an annotation: 0 where it is absent or no number."""
    try:
        return int(str(annotation)) if annotation is not None else 0
    except ValueError:
        return 0
