"""A worker told as a kubelet tells a pod, so that whoever reads pods reads this."""

from __future__ import annotations

import re
from typing import Any, Final

from tidegate.domain.core_list import format_cores
from tidegate.domain.loose import Json
from tidegate.domain.pod_starts import NEXT_START_ANNOTATION
from tidegate.domain.reasons import Reason
from tidegate.domain.timestamps import to_micro_timestamp
from tidegate.local.worker.pod_state import End, PodState
from tidegate.resources.labels import labels
from tidegate.resources.names import GROUP, TEMPLATE_ANNOTATION, WORKER_CONTAINER

CORES_BY_ANNOTATION: Final = f"{GROUP}/cores-by"  # cgroup | affinity; absent: no cores of its own
MEMORY_BY_ANNOTATION: Final = f"{GROUP}/memory-by"  # cgroup; absent: nothing holds it to its memory
CORES_ANNOTATION: Final = f"{GROUP}/cores"  # such as 2-3
DEVICES_ANNOTATION: Final = f"{GROUP}/devices"  # what its CUDA_VISIBLE_DEVICES says
PID_ANNOTATION: Final = f"{GROUP}/pid"  # of the first of its processes
_LINE = re.compile(r"([A-Z][A-Za-z0-9]{2,62}): (\S.*)", re.ASCII)
BY_CGROUP: Final = "cgroup"
BY_AFFINITY: Final = "affinity"


def pod_document(state: PodState, node: str) -> Json:
    """The pod; ``node``: this machine's name. Its times have microseconds, which Kubernetes cuts off."""
    spec = state.spec
    container = {"name": WORKER_CONTAINER, "resources": spec.resources}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(state),
        "spec": {
            **({"nodeName": node} if state.placement or state.last_end else {}),
            "containers": [container | ({"image": spec.image} if spec.image else {})],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": int(spec.grace_seconds),
        },
        "status": _status(state),
    }


def _metadata(state: PodState) -> dict[str, Any]:
    spec = state.spec
    found: dict[str, Any] = {
        "name": state.name,
        "namespace": spec.key.namespace,
        "uid": state.uid,
        "creationTimestamp": to_micro_timestamp(state.created),
        "labels": labels(spec.key.name),
        "annotations": {TEMPLATE_ANNOTATION: spec.hash, **_given(state), **_put_off(state)},
    }
    if state.gone_by is not None:
        found["deletionTimestamp"] = to_micro_timestamp(state.gone_by)
        found["deletionGracePeriodSeconds"] = int(spec.grace_seconds)
    return found


def _given(state: PodState) -> dict[str, str]:
    """What it has, and what holds it to that."""
    given = state.placement
    if given is None:
        return {}
    told = {
        PID_ANNOTATION: str(state.process.pid) if state.process else "",
        CORES_ANNOTATION: format_cores(given.cores),
        DEVICES_ANNOTATION: ",".join(given.devices),
        CORES_BY_ANNOTATION: given.cores_by,
        MEMORY_BY_ANNOTATION: given.memory_by,
    }
    return {name: value for name, value in told.items() if value}


def _put_off(state: PodState) -> dict[str, str]:
    """When it begins anew, while it pauses after an end."""
    never = state.failed or state.gone_by is not None
    if never or state.waiting != Reason.CRASH_LOOP or state.last_end is None:
        return {}
    return {NEXT_START_ANNOTATION: to_micro_timestamp(state.last_end.finished + state.backoff.pause)}


def _status(state: PodState) -> dict[str, Any]:
    given = state.placement
    found: dict[str, Any] = {
        "phase": _phase(state),
        "qosClass": _quality(state),
        "conditions": _conditions(state),
    }
    if given is not None:
        found["startTime"] = to_micro_timestamp(given.since)
        found |= {"podIP": given.host, "podIPs": [{"ip": given.host}]} if given.host else {}
    if given is not None or state.last_end is not None:
        found["containerStatuses"] = [_container(state)]
    if state.failed:
        found |= _why_failed(state)
    return found


def _why_failed(state: PodState) -> dict[str, str]:
    """The engine's own line where it left one."""
    said = state.last_end.message.splitlines() if state.last_end else []
    if said and (line := _LINE.fullmatch(said[-1].strip())):
        return {"reason": line[1], "message": line[2]}
    told = f": {said[-1].strip()}" if said else ""
    return {
        "reason": Reason.ENGINE_FAILED.value,
        "message": f"the engine ended while nobody watched it{told}",
    }


def _phase(state: PodState) -> str:
    if state.failed:
        return "Failed"
    return "Running" if state.process or state.last_end else "Pending"


def _quality(state: PodState) -> str:
    """Guaranteed where the kernel holds it to cores of its own and to its memory: what the class promises."""
    given = state.placement
    held = given is not None and given.cores_by == given.memory_by == BY_CGROUP
    return "Guaranteed" if held else "Burstable"


def _conditions(state: PodState) -> list[dict[str, str]]:
    placed = state.placement or state.last_end
    scheduled = (
        _condition("PodScheduled", True, state.placement.since if state.placement else state.created)
        if placed
        else {
            **_condition("PodScheduled", False, state.created),
            "reason": Reason.UNSCHEDULABLE.value,
            "message": state.refusal,
        }
    )
    return [scheduled, *(_readiness(state, kind) for kind in ("ContainersReady", "Ready"))]


def _readiness(state: PodState, kind: str) -> dict[str, str]:
    """A Ready that is False without a reason would mean that the node is lost."""
    found = _condition(kind, state.ready, state.ready_changed)
    told = {"reason": "ContainersNotReady", "message": "containers with unready status: [engine]"}
    return found if state.ready else found | told


def _condition(kind: str, holds: bool, since: float) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "lastTransitionTime": to_micro_timestamp(since),
    }


def _container(state: PodState) -> dict[str, Any]:
    last = {"terminated": _terminated(state.last_end)} if state.last_end else {}
    now: dict[str, Any] = {"waiting": {"reason": state.waiting, "message": state.waiting_message}}
    if not state.waiting_message:
        now = {"waiting": {"reason": state.waiting}}
    if state.process is not None:
        now = {"running": {"startedAt": to_micro_timestamp(state.process.since)}}
    elif state.failed and last:
        now, last = last, {}
    identity = {"containerID": f"process://{state.uid}"} if state.process or state.last_end else {}
    return {
        "name": WORKER_CONTAINER,
        **identity,
        "ready": state.ready,
        "started": state.started,
        "restartCount": state.restarts,
        "state": now,
        "lastState": last,
    }


def _terminated(end: End) -> dict[str, Any]:
    found: dict[str, Any] = {
        "reason": end.reason,
        "startedAt": to_micro_timestamp(end.began),
        "finishedAt": to_micro_timestamp(end.finished),
    }
    if end.code is not None:
        found["exitCode"] = end.code
        found |= {"signal": end.code - 128} if end.code > 128 else {}
    return found | ({"message": end.message} if end.message else {})
