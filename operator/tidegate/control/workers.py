"""A pod, read as a worker."""

from __future__ import annotations

from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey, Worker
from tidegate.resources.names import SERVICE_LABEL, WORKER_CONTAINER, WORKER_PORT


def service_of(pod: Json) -> ServiceKey | None:
    """The service that a pod works for, by its label; None without one."""
    metadata = pod["metadata"]
    name = (metadata.get("labels") or {}).get(SERVICE_LABEL)
    return ServiceKey(metadata["namespace"], name) if name else None


def worker_from_pod(pod: Json) -> Worker | None:
    """The worker in a pod; None for one that has ended for good (evicted, rejected by its kubelet)."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return None
    engine = _engine_status(status)
    return Worker(
        uid=pod["metadata"]["uid"],
        incarnation=int(engine.get("restartCount") or 0),
        host=status.get("podIP") or "",
        port=WORKER_PORT,
        ready=_is_true(status, "Ready"),
        terminating="deletionTimestamp" in pod["metadata"] or _ended_by_its_kubelet(status),
        stage=_stage(status, engine),
        name=pod["metadata"]["name"],
    )


def _ended_by_its_kubelet(status: Json) -> bool:
    """A node that is short of memory or disk, or shuts down, ends its pods without a deletion: its kubelet
    says so in this condition as it stops the containers; the pod is Failed when they have ended."""
    disruption = _condition(status, "DisruptionTarget")
    return disruption.get("status") == "True" and disruption.get("reason") == "TerminationByKubelet"


def _stage(status: Json, engine: Json) -> str:
    if "running" in (engine.get("state") or {}):
        return "started"
    return "scheduled" if _is_true(status, "PodScheduled") else "created"


def _engine_status(status: Json) -> Json:
    for container in status.get("containerStatuses") or []:
        if container.get("name") == WORKER_CONTAINER:
            return dict(container)
    return {}


def _is_true(status: Json, condition_type: str) -> bool:
    return bool(_condition(status, condition_type).get("status") == "True")


def _condition(status: Json, condition_type: str) -> Json:
    conditions = status.get("conditions") or []
    return next((dict(each) for each in conditions if each.get("type") == condition_type), {})
