"""spec.replicas where an InferenceService changes hands: the number of workers goes along with the mode.

Who writes only ``scaling.mode`` means neither zero nor one. What cannot be read is left to the schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.controller.ownership import in_a_manifest

Json = dict[str, Any]

EXTERNAL = "External"
_FIELD = ("spec", "replicas")
_PATH = "/spec/replicas"
_FIRST = 1  # as a Deployment without a number has it: from zero no HorizontalPodAutoscaler ever begins


@dataclass(frozen=True)
class Handover:
    """What is written besides what was asked for, and what is told of it."""

    operations: tuple[Json, ...] = ()  # of a JSON patch
    warnings: tuple[str, ...] = ()


def handover(new: Json, old: Json | None, running: int | None) -> Handover:
    """What a write of ``new`` over ``old`` (None: it is created) needs for spec.replicas to fit its mode.

    ``running``: how many workers its Deployment is told to run; None: it has none.
    """
    if _mode(new) == EXTERNAL:
        return Handover() if _replicas(new) is not None else _taken(old, running)
    if _mode(old) != EXTERNAL:
        return Handover()  # a number that is set here is refused by the schema, with a sentence
    return Handover(_left_behind(new, old), (_GIVEN_BACK,))


def _taken(old: Json | None, running: int | None) -> Handover:
    """Nobody has said a number, or somebody's manifest has none: the number stays."""
    if _mode(old) == EXTERNAL and (kept := _replicas(old)) is not None:
        return Handover(_set(kept))
    if old is None:
        return Handover(_set(_FIRST))
    number = max(_FIRST, running or 0)
    return Handover(_set(number), (_TAKEN.format(number=number),))


def _set(number: int) -> tuple[Json, ...]:
    return ({"op": "add", "path": _PATH, "value": number},)


def _left_behind(new: Json, old: Json | None) -> tuple[Json, ...]:
    """The number that others set goes, unless a manifest asks for it: whose is not, need not remove it."""
    left = _replicas(new) is not None and _replicas(new) == _replicas(old)
    return ({"op": "remove", "path": _PATH},) if left and not in_a_manifest(new, _FIELD) else ()


def _mode(resource: Json | None) -> object:
    spec = (resource or {}).get("spec")
    scaling = spec.get("scaling") if isinstance(spec, dict) else None
    return scaling.get("mode") if isinstance(scaling, dict) else None


def _replicas(resource: Json | None) -> Any:
    spec = (resource or {}).get("spec")
    return spec.get("replicas") if isinstance(spec, dict) else None


_TAKEN = (
    "spec.replicas: set to {number}, the workers that there are, but at least one; from now on it is changed "
    "by kubectl scale, a HorizontalPodAutoscaler or KEDA, and no request wakes the service"
)
_GIVEN_BACK = (
    "spec.scaling.mode: tidegate sets the number of workers from now on; delete any HorizontalPodAutoscaler "
    "or ScaledObject for this service: it can change nothing any more, and reports an error"
)
