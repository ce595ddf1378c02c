"""What the operator must know of one worker's pod."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tidegate.domain.causes import Cause, cause_of
from tidegate.domain.deletion_order import COST_ANNOTATION, cost_of
from tidegate.domain.loose import Json, condition, mapping, mappings, text, whole
from tidegate.domain.pod_containers import ENGINE, cores_of, devices_of, strangers_in, was_rejected
from tidegate.domain.start_stage import Stage, stage_of
from tidegate.domain.timestamps import from_timestamp

_REPLACED_WITHIN = 60.0  # seconds; a pod made later than that after another's end is not its replacement

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
    stage: Stage = Stage.LOADING  # how far its start has come
    gone_by: float | None = None  # a terminating one is ended then at the latest
    ended_at: float = 0.0  # of one that has ended: when, as far as its status tells
    devices: tuple[str, ...] = ()  # the extended resources that it holds
    deletion_cost: int = 0  # a ReplicaSet that shrinks deletes the lowest first
    scheduled_since: float | None = None  # it has a node; None: it is not told since when
    started_since: float | None = None  # its engine's container runs

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
    metadata, status = mapping(pod.get("metadata")), mapping(pod.get("status"))
    containers = mappings(status.get("containerStatuses"))
    created = from_timestamp(metadata.get("creationTimestamp")) or 0.0
    annotations = mapping(metadata.get("annotations"))
    return WorkerFacts(
        name=text(metadata.get("name")),
        created=created,
        node=text(mapping(pod.get("spec")).get("nodeName")),
        host=text(status.get("podIP")),
        started=any("running" in mapping(each.get("state")) for each in containers),
        restarts=sum(whole(each.get("restartCount")) for each in containers),
        ready_since=_ready_since(status),
        terminating="deletionTimestamp" in metadata,
        ended=status.get("phase") in ("Failed", "Succeeded"),
        guaranteed=status.get("qosClass") == "Guaranteed",
        cause=cause_of(pod, startup_deadline),
        uid=text(metadata.get("uid")),
        cores=cores_of(pod),
        strangers=strangers_in(pod),
        rejected=was_rejected(status),
        template=text(annotations.get(TEMPLATE_ANNOTATION)),
        stage=stage_of(pod),
        gone_by=from_timestamp(metadata.get("deletionTimestamp")),
        ended_at=max(created, _last_transition(status)),
        devices=devices_of(pod),
        deletion_cost=cost_of(annotations.get(COST_ANNOTATION)),
        scheduled_since=from_timestamp(condition(status, "PodScheduled").get("lastTransitionTime")),
        started_since=_started_since(containers),
    )


def _ready_since(status: Json) -> float | None:
    ready = condition(status, "Ready")
    if ready.get("status") != "True":
        return None
    return from_timestamp(ready.get("lastTransitionTime")) or 0.0


def _started_since(containers: list[Json]) -> float | None:
    engine = next((each for each in containers if each.get("name") == ENGINE), {})
    return from_timestamp(mapping(mapping(engine.get("state")).get("running")).get("startedAt"))


def _last_transition(status: Json) -> float:
    times = (from_timestamp(each.get("lastTransitionTime")) for each in mappings(status.get("conditions")))
    return max((time for time in times if time is not None), default=0.0)


def first_cause(workers: Iterable[WorkerFacts], settled: float = 0.0) -> Cause | None:
    """What is wrong: a failure before a mere wait, the oldest worker's before a younger one's.

    ``settled``: Unix time up to which whatever ended is history: the service has been well since, or has
    begun anew. A pod that was given up is left lying by Kubernetes for days.
    """
    workers = tuple(workers)
    troubled = [worker for worker in workers if worker.cause and not (worker.terminating or worker.ready)]
    troubled = [worker for worker in troubled if not worker.rejected]  # see domain/rejections
    present = [cause for worker in _oldest(troubled) if (cause := _present(worker, workers, settled))]
    present.sort(key=lambda cause: not cause.failure)
    return present[0] if present else _taken_away(workers)


def _present(worker: WorkerFacts, workers: Iterable[WorkerFacts], settled: float) -> Cause | None:
    """Its cause as it matters now; of one that has ended it is history as soon as others have begun since."""
    if not worker.ended or worker.cause is None:
        return worker.cause
    successors = [each.created for each in workers if each.alive]
    newest = max(successors, default=0.0)
    if worker.ended_at <= max(settled, newest - _REPLACED_WITHIN):
        return None
    return replace(worker.cause, failure=False) if newest >= worker.created and successors else worker.cause


def _taken_away(workers: Iterable[WorkerFacts]) -> Cause | None:
    """Why a worker that ends was taken away, while nothing else is wrong and none serves."""
    ending = [worker for worker in workers if worker.terminating and not worker.ended and worker.cause]
    return _oldest(ending)[0].cause if ending and not any(worker.ready for worker in workers) else None


def _oldest(workers: Iterable[WorkerFacts]) -> list[WorkerFacts]:
    return sorted(workers, key=lambda worker: (worker.created, worker.name))
