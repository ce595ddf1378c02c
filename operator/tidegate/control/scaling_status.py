"""status.scaling: the decision that set the number of workers, with its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.domain.flapping import Flapping
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.timestamps import to_timestamp
from tidegate.domain.workers import WorkerFacts

Json = dict[str, Any]

KEPT: Final = frozenset({"Loading", "Recent", "Asking", "Steady", "Busy", "Unheard"})
"""Reasons to leave the number as it is."""

OTHERS: Final = frozenset({"External", "Suspended"})
"""Reasons that are in the spec: where one of them comes or goes, somebody else decides from then on."""


def scaling_status(
    decision: ScaleDecision | None, figures: Json, previous: Mapping[str, Any], now: float
) -> Json | None:
    """The block, from what stood there; ``figures``: this moment's. Why a number is kept is no news, but who
    decides it is."""
    if decision is None:
        return None
    same = previous.get("desired") == decision.replicas and previous.get("since")
    if same and not _other_hands(decision, previous):
        told = {name: value for name, value in previous.items() if name not in ("flapping", "backoffUntil")}
    else:
        told = _changed(decision, previous, now) | figures
    return told | _flapping(decision.flapping)


def figures_of(load: Load, workers: Sequence[WorkerFacts]) -> Json:
    """What a decision was made on, for status.scaling."""
    alive = [worker for worker in workers if worker.alive]
    ready, seconds = sum(1 for worker in alive if worker.ready), load.execution_seconds
    return {
        "waiting": load.waiting,
        "inFlight": load.in_flight,
        **({} if seconds is None else {"executionSeconds": f"{seconds:.3g}"}),
        "ready": ready,
        "starting": len(alive) - ready,
    }


def _changed(decision: ScaleDecision, previous: Mapping[str, Any], now: float) -> Json:
    before = previous.get("desired")
    reason, message = _why(decision, int(before or 0))
    return {
        "desired": decision.replicas,
        **({} if before is None else {"previous": before}),
        "reason": reason,
        "message": message,
        "since": to_timestamp(now),
        **({} if decision.needed is None else {"needed": decision.needed}),
        **({} if decision.window is None else {"window": decision.window}),
    }


def _why(decision: ScaleDecision, before: int) -> tuple[str, str]:
    """Why there are so many, also where the decision to keep them is not the one that set them.

    Who set them may have died before it could tell: a gateway raises to one, more are demand's.
    """
    raised = decision.replicas > before
    if decision.replicas == before and decision.reason in KEPT:
        return "TakenOver", "tidegate decides from now on; as many workers were there"
    if raised and decision.replicas == 1 and decision.reason in {*KEPT, "Demand"}:
        return "Woken", "a request arrived, and a gateway woke the service"
    if raised and decision.reason in KEPT:
        return "Demand", "an operator set this number and ended before it could say why"
    return decision.reason, decision.message


def _other_hands(decision: ScaleDecision, previous: Mapping[str, Any]) -> bool:
    """Whether the number has stayed, and who decides it has changed."""
    before = previous.get("reason")
    return decision.reason != before and not OTHERS.isdisjoint({decision.reason, before})


def _flapping(flapping: Flapping | None) -> Json:
    if flapping is None:
        return {}
    return {"flapping": {"wakes": flapping.wakes, "idleTimeoutSeconds": round(flapping.extended)}}
