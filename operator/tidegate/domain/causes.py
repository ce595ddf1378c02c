"""Why a worker is not ready, from its pod's status: what the scheduler, the kubelet and the engine said."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.domain.cause import Cause
from tidegate.domain.container_causes import container_cause
from tidegate.domain.loose import Json, condition, mapping, mappings, whole
from tidegate.domain.pod_ends import failed_pod_cause, node_lost_cause, taken_away_cause
from tidegate.domain.refusals import refusal_cause
from tidegate.domain.scheduling_causes import scheduling_cause

__all__ = ["Cause", "cause_of", "refusal_cause", "replica_failure"]


def cause_of(pod: Json, startup_deadline: float) -> Cause | None:
    """Why this pod is not ready, None where nothing is wrong; ``startup_deadline`` in seconds.

    Of a pod that ends it is why it was taken away.
    """
    status = mapping(pod.get("status"))
    if "deletionTimestamp" in mapping(pod.get("metadata")):
        return taken_away_cause(pod)
    if status.get("phase") == "Failed":
        return failed_pod_cause(status)
    scheduled = condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return scheduling_cause(pod, scheduled)
    return node_lost_cause(pod) or next(_container_causes(pod, startup_deadline), None)


def replica_failure(deployment: Json) -> Cause | None:
    """Why the Deployment cannot even make its pods: a quota, a limit, a policy, an admission webhook."""
    said = condition(mapping(deployment.get("status")), "ReplicaFailure")
    return refusal_cause(said.get("message")) if said.get("status") == "True" else None


def _container_causes(pod: Json, startup_deadline: float) -> Iterator[Cause]:
    status, spec = mapping(pod.get("status")), mapping(pod.get("spec"))
    grace = float(whole(spec.get("terminationGracePeriodSeconds")))
    for field, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for container in mappings(status.get(field)):
            if found := container_cause(container, startup_deadline, init=init, grace=grace):
                yield found
