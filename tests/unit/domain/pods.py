"""Pods as the tests of causes, workers and status need them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CREATED = "2026-01-01T00:00:00Z"


def pod(status: Json | None = None, **metadata: Any) -> Json:
    """A worker pod with a node and this status."""
    head = {"name": "w-1", "namespace": "team", "uid": "u1", "creationTimestamp": CREATED, **metadata}
    return {"metadata": head, "spec": {"nodeName": "n1"}, "status": {"phase": "Pending", **(status or {})}}


def condition(kind: str, status: str, **more: Any) -> Json:
    """One condition of a pod."""
    return {"type": kind, "status": status, "lastTransitionTime": "2026-01-01T00:00:40Z", **more}


def container(*, ready: bool = False, restarts: int = 0, **states: Json) -> Json:
    """The engine's container status; ``states``: state and lastState."""
    return {"name": "engine", "ready": ready, "restartCount": restarts, **states}


def ready_pod(**metadata: Any) -> Json:
    """A pod that takes requests since 40 s after its creation."""
    status = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "qosClass": "Guaranteed",
        "conditions": [condition("PodScheduled", "True"), condition("Ready", "True")],
        "containerStatuses": [container(ready=True, state={"running": {}})],
    }
    return pod(status, **metadata)


def failing_pod(terminated: Json, waiting: Json | None = None, **metadata: Any) -> Json:
    """A pod whose engine has ended."""
    state = {"waiting": waiting or {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    statuses = [container(restarts=1, state=state, lastState={"terminated": terminated})]
    return pod({"phase": "Running", "containerStatuses": statuses}, **metadata)
