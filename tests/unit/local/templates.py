"""Templates and states of workers, for tests."""

from __future__ import annotations

from typing import Any

from tidegate.domain.service import ServiceKey
from tidegate.local.worker.pod_state import Placement, PodState, Process, made
from tidegate.local.worker.template import WorkerTemplate

KEY = ServiceKey("default", "chat")
GIB = 1024**3


def template(**changes: Any) -> WorkerTemplate:
    """A small worker; any field can be another."""
    fields: dict[str, Any] = {
        "key": KEY,
        "hash": "abc",
        "command": ("true",),
        "environment": {},
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "cores": 1,
        "memory": GIB,
        "shared_memory": None,
        "devices": 0,
        "device_resource": "",
        "exclusive": True,
        "readiness_path": "/v1/models",
        "startup_deadline": 900.0,
        "grace_seconds": 30.0,
    }
    return WorkerTemplate(**{**fields, **changes})


def new(created: float = 1000.0, uid: str = "uid-1", **changes: Any) -> PodState:
    """One that was just made."""
    return made(template(**changes), "chat-abcde", uid, "boot", created)


def placed(created: float = 1000.0, **changes: Any) -> PodState:
    """One that has a core."""
    return new(created, **changes).placed(Placement(created, (1,), (), "127.84.0.1", "cgroup", "cgroup"))


def running(created: float = 1000.0, **changes: Any) -> PodState:
    """One whose process runs since a second after its creation."""
    return placed(created, **changes).begun(Process(4711, 1, "boot", created + 1))
