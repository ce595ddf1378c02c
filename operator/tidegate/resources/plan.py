"""What must be written so that what exists becomes what should: a pure comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tidegate.domain.causes import Cause
from tidegate.domain.conditions import LEFT_OVER, NAME_CONFLICT
from tidegate.resources.differs import differences
from tidegate.resources.labels import is_left_over, is_ours
from tidegate.resources.seeds import seed_of

Json = dict[str, Any]

CREATED = ("created",)  # why the apply is due that follows a creation


@dataclass(frozen=True)
class Desired:
    """The manifests of one service; ``seed`` is what a worker Deployment is created from."""

    name: str  # of the InferenceService
    uid: str
    seed: Json
    deployment: Json
    service: Json
    budget: Json | None  # None: none is due


@dataclass(frozen=True)
class Observed:
    """The objects of these names as they are; None where there is none."""

    deployment: Json | None = None
    service: Json | None = None
    budget: Json | None = None


@dataclass(frozen=True)
class Action:
    """``create``: POST, refused where the name is taken. ``apply``: server-side apply on what exists.
    ``delete``: of exactly the object in ``manifest``, known by its uid.

    ``why``: the paths that differ, for the log.
    """

    verb: Literal["create", "apply", "delete"]
    manifest: Json
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The writes in their order; none of them where ``conflict`` says that a foreign object is in the way."""

    actions: tuple[Action, ...] = ()
    conflict: Cause | None = None


def plan(desired: Desired, observed: Observed) -> Plan:
    """The writes that are needed; an unchanged service needs none."""
    wanted = (observed.deployment, observed.service, observed.budget if desired.budget else None)
    for existing in wanted:
        if existing is not None and not is_ours(existing, desired.uid):
            return Plan(conflict=conflict(existing, desired))
    creation = (Action("create", desired.seed), Action("apply", desired.deployment, CREATED))
    deployment = _corrected(desired.deployment, observed.deployment) if observed.deployment else creation
    service = _corrected(desired.service, observed.service) if observed.service else _created(desired.service)
    return Plan((*deployment, *service, *_budget(desired, observed.budget)))


def _budget(desired: Desired, existing: Json | None) -> tuple[Action, ...]:
    """The only object that comes and goes while its service stays."""
    if desired.budget is not None:
        return _corrected(desired.budget, existing) if existing else _created(desired.budget)
    if existing is None or "deletionTimestamp" in existing["metadata"] or not is_ours(existing, desired.uid):
        return ()
    return (Action("delete", {**existing, "kind": "PodDisruptionBudget"}, ("no longer due",)),)


def _created(manifest: Json) -> tuple[Action, ...]:
    return (Action("create", seed_of(manifest)), Action("apply", manifest, CREATED))


def _corrected(manifest: Json, existing: Json) -> tuple[Action, ...]:
    if "deletionTimestamp" in existing["metadata"]:
        return ()  # its end is an event, and then it is created anew
    said = {part: manifest[part] for part in ("metadata", "spec")}  # items of a listing have no kind
    why = differences(said, existing)
    return (Action("apply", manifest, tuple(why)),) if why else ()


def conflict(existing: Json, desired: Desired) -> Cause:
    """What an object of one of our names that is not this service's is called in the conditions."""
    kind, name = existing.get("kind", "object"), existing["metadata"]["name"]
    if is_left_over(existing, desired.name, desired.uid):
        return Cause(
            LEFT_OVER,
            f"the {kind} {name} of a deleted InferenceService of the same name is still being collected",
            failure=False,
        )
    return Cause(
        NAME_CONFLICT,
        f"a {kind} named {name} exists and does not belong to this InferenceService; it is left alone. "
        "Delete or rename it, or rename the InferenceService",
    )
