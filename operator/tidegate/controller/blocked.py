"""A service for which the operator can do nothing: what is told of it nevertheless."""

from __future__ import annotations

from typing import Any

from tidegate.control.facts import worker_phase_facts
from tidegate.controller.world import World
from tidegate.domain.causes import Cause, refusal_cause, replica_failure
from tidegate.domain.conditions import REFUSED, settled_since
from tidegate.domain.loose import mapping, whole
from tidegate.domain.phases import PhaseFacts
from tidegate.domain.reasons import Reason
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import first_cause
from tidegate.kube.cache import Kind
from tidegate.kube.errors import KubeError
from tidegate.resources.labels import is_ours
from tidegate.resources.names import worker_deployment

Json = dict[str, Any]

_STARTUP_DEADLINE = 900.0  # seconds; the default, where the spec cannot be read


def blocked_facts(world: World, raw: Json) -> PhaseFacts:
    """What its pods and its Deployment tell, though its spec cannot be obeyed."""
    metadata = raw["metadata"]
    key = ServiceKey(metadata["namespace"], metadata["name"])
    deployment = world.cache.get(Kind.DEPLOYMENT, key.namespace, worker_deployment(key.name)) or {}
    if deployment and not is_ours(deployment, metadata["uid"]):
        deployment = {}
    deadline = whole(mapping(mapping(raw.get("spec")).get("engine")).get("startupDeadlineSeconds"))
    workers = world.workers_of(key, deadline or _STARTUP_DEADLINE)
    settled = settled_since(mapping(raw.get("status")).get("conditions") or ())
    cause = first_cause(workers, settled) or replica_failure(deployment)
    wanted = whole(mapping(deployment.get("spec")).get("replicas"))
    return worker_phase_facts(workers, wanted, cause, lambda found: found)


def refused(error: KubeError) -> Cause:
    """The API server refuses one of our objects: who does, and why."""
    who = refusal_cause(error.message)
    return Cause(
        REFUSED, str(error) if who.reason == Reason.FAILED_CREATE else f"{who.reason}: {who.message}"
    )
