"""What the operator must know of one worker's pod."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.domain.causes import Cause, cause_of
from tidegate.domain.quantity import same_quantity
from tidegate.domain.timestamps import from_timestamp

Json = Mapping[str, Any]

ENGINE = "engine"  # the container that is the worker's own
TEMPLATE_ANNOTATION = "tidegate.io/template"  # of a pod and its template: the hash of what it was made from


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One pod, as far as phases, conditions and scaling depend on it. Times are Unix seconds."""

    name: str
    created: float
    node: str = ""  # empty while it has none
    host: str = ""  # its address; empty while it has none
    started: bool = False  # the engine's container runs
    restarts: int = 0  # of the engine's container
    ready_since: float | None = None  # None while it is not ready
    terminating: bool = False
    ended: bool = False  # it will never run again (evicted, rejected by its kubelet)
    guaranteed: bool = False  # its QoS class
    cause: Cause | None = None  # why it is not ready, where something is wrong
    uid: str = ""
    cores: int | None = None  # that its engine asked for; None: not whole ones
    strangers: tuple[str, ...] = ()  # containers beside the engine that cost the pod its Guaranteed
    rejected: bool = False  # its kubelet did not let any of its containers begin
    template: str = ""  # the hash of the template that it was made from

    @property
    def ready(self) -> bool:
        """Whether it takes requests: a terminating one does not, whatever its pod's condition says."""
        return self.ready_since is not None and not self.terminating

    @property
    def alive(self) -> bool:
        """Whether it counts: neither on its way out nor at its end."""
        return not (self.terminating or self.ended)

    @property
    def loading(self) -> bool:
        """Whether it is on its way to ready: with nothing wrong, or once more after a failure.

        How long that may take is its startup probe's business, which ends it at the deadline.
        """
        again = self.cause is not None and not self.cause.failure and bool(self.node)
        return self.alive and not self.ready and (self.cause is None or again)


def worker_facts(pod: Json, startup_deadline: float) -> WorkerFacts:
    """The facts of one pod; ``startup_deadline`` in seconds."""
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    return WorkerFacts(
        name=str(metadata.get("name", "")),
        created=from_timestamp(metadata.get("creationTimestamp")) or 0.0,
        node=str((pod.get("spec") or {}).get("nodeName") or ""),
        host=str(status.get("podIP") or ""),
        started=any("running" in (each.get("state") or {}) for each in containers),
        restarts=sum(int(each.get("restartCount") or 0) for each in containers),
        ready_since=_ready_since(status),
        terminating="deletionTimestamp" in metadata,
        ended=status.get("phase") in ("Failed", "Succeeded"),
        guaranteed=status.get("qosClass") == "Guaranteed",
        cause=cause_of(pod, startup_deadline),
        uid=str(metadata.get("uid", "")),
        cores=_cores(pod),
        strangers=_strangers(pod),
        rejected=_rejected(status),
        template=str((metadata.get("annotations") or {}).get(TEMPLATE_ANNOTATION, "")),
    )


def _rejected(status: Json) -> bool:
    """A kubelet that refuses a pod at admission ends it with a reason and without a container."""
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    begun = any(each.get("containerID") for each in statuses)
    return status.get("phase") == "Failed" and bool(status.get("reason")) and not begun


def _containers(pod: Json) -> list[Json]:
    spec: Json = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _cores(pod: Json) -> int | None:
    for container in _containers(pod):
        if container.get("name") == ENGINE:
            text = str(((container.get("resources") or {}).get("requests") or {}).get("cpu", ""))
            return int(text) if text.isdecimal() else None
    return None


def _strangers(pod: Json) -> tuple[str, ...]:
    """A pod is Guaranteed where every container has limits of cpu and memory, and requests as high."""
    others = (container for container in _containers(pod) if container.get("name") != ENGINE)
    return tuple(str(container.get("name")) for container in others if not _is_guaranteed(container))


def _is_guaranteed(container: Json) -> bool:
    resources: Json = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return all(same_quantity(limits.get(name), requests.get(name)) for name in ("cpu", "memory"))


def _ready_since(status: Json) -> float | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return from_timestamp(condition.get("lastTransitionTime")) or 0.0
    return None


def first_cause(workers: Iterable[WorkerFacts]) -> Cause | None:
    """What is wrong: a failure before a mere wait, the oldest worker's before a younger one's."""
    troubled = [
        worker
        for worker in workers
        if worker.cause
        and not (worker.terminating or worker.ready or worker.rejected)  # see domain/rejections
    ]
    troubled.sort(
        key=lambda worker: (not (worker.cause and worker.cause.failure), worker.created, worker.name)
    )
    return troubled[0].cause if troubled else None
