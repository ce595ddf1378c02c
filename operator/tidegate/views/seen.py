"""What one look at the cluster has found, and the facts that are read out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from tidegate.api.bounds import bounds_of
from tidegate.api.memory import last_start, remembered
from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.status import InferenceServiceStatus
from tidegate.api.v1alpha1 import parse
from tidegate.domain.autoscaler import Memory
from tidegate.domain.causes import replica_failure
from tidegate.domain.conditions import BLOCKS, READY
from tidegate.domain.loose import Json, condition, mapping, text, whole
from tidegate.domain.pools import pool_of
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Load, Pool
from tidegate.domain.timestamps import from_timestamp
from tidegate.domain.workers import WorkerFacts, worker_facts

_UNKNOWN_DEADLINE: Final = 900.0  # seconds; engine.startupDeadlineSeconds' default, where no spec can be read


@dataclass(frozen=True)
class Seen:
    """Objects as the API server has them, at ``now`` (Unix time). None: not read; ``unread`` says why."""

    service: Json
    now: float
    deployment: Json | None = None
    pods: tuple[Json, ...] | None = None
    autoscalers: tuple[Json, ...] = ()  # HorizontalPodAutoscalers that scale this service
    load: Load | None = None  # what the gateways say; None: they were not asked
    unread: tuple[str, ...] = ()  # a sentence for each
    here: bool = False  # it runs on this machine, without a cluster


@dataclass(frozen=True)
class Facts:
    """The same, read. ``spec`` None: it cannot be, and ``spec_error`` says why."""

    seen: Seen
    name: str
    namespace: str
    status: Json
    spec: InferenceServiceSpec | None
    spec_error: str
    workers: tuple[WorkerFacts, ...]
    pool: Pool
    memory: Memory  # as much as the status has of it
    scaling: Json = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Unix time of the look."""
        return self.seen.now

    @property
    def phase(self) -> str:
        """The phase; empty where no status was written yet."""
        return text(self.status.get("phase"))

    @property
    def pods_known(self) -> bool:
        """Whether the workers' own pods were read."""
        return self.seen.pods is not None

    @property
    def depth(self) -> int | None:
        """Requests that wait or run; None: nobody says."""
        if self.seen.load is not None:
            return self.seen.load.depth
        said = text(mapping(self.status.get("queue")).get("summary")).partition("/")[0]
        return int(said) if said.isdecimal() else None

    @property
    def load(self) -> Load:
        """As the gateways tell it, else as the status does, which knows their sum only: no more can run than
        the ready workers have slots."""
        depth, slots = (
            self.depth or 0,
            self.pool.ready * (self.spec.engine.max_concurrency if self.spec else 0),
        )
        return self.seen.load or Load(waiting=max(0, depth - slots), in_flight=min(depth, slots))

    @property
    def deleted(self) -> bool:
        """Whether it is going: its workers finish what they run."""
        return "deletionTimestamp" in mapping(self.seen.service.get("metadata"))

    @property
    def blocked_here(self) -> bool:
        """Whether tidegate can do nothing for it on this machine, as where no vLLM is there."""
        return self.seen.here and text(self.condition(READY).get("reason")) in BLOCKS

    def condition(self, kind: str) -> Json:
        """One condition; empty where there is none."""
        return condition(self.status, kind)

    def time(self, of: Json, key: str) -> float | None:
        """A timestamp in a part of the status, as Unix time."""
        return from_timestamp(of.get(key))

    @property
    def bounds_at(self) -> Callable[[float], Bounds] | None:
        """What the spec asks for at a Unix time; None where the spec cannot be read."""
        spec = self.spec
        return None if spec is None else lambda moment: bounds_of(spec, moment)


def facts_of(seen: Seen) -> Facts:
    """Reads a look; a spec that this version does not understand is a fact, too."""
    metadata, status = mapping(seen.service.get("metadata")), mapping(seen.service.get("status"))
    spec, error = _spec(seen.service)
    typed = _typed(status)
    deadline = float(spec.engine.startup_deadline_seconds) if spec else _UNKNOWN_DEADLINE
    workers = tuple(worker_facts(pod, deadline) for pod in seen.pods or ())
    return Facts(
        seen=seen,
        name=text(metadata.get("name")),
        namespace=text(metadata.get("namespace")),
        status=status,
        spec=spec,
        spec_error=error,
        workers=workers,
        pool=replace(_pool(seen, status, workers), start_seconds=last_start(typed)),
        memory=remembered(typed, Memory()),
        scaling=mapping(status.get("scaling")),
    )


def _spec(service: Json) -> tuple[InferenceServiceSpec | None, str]:
    """Without its status, which an operator of another version may have written."""
    try:
        bare = {name: part for name, part in service.items() if name != "status"}
        spec = parse(bare).spec
        bounds_of(spec, 0.0)  # a schedule is read by then
    except ValueError as error:
        return None, str(error)
    return spec, ""


def _typed(status: Json) -> InferenceServiceStatus | None:
    """The status, where this version understands it; what a person reads is taken from it piece by piece."""
    try:
        return InferenceServiceStatus.model_validate_json(json.dumps(status, default=str), extra="ignore")
    except ValueError:
        return None


def _pool(seen: Seen, status: Json, workers: tuple[WorkerFacts, ...]) -> Pool:
    """As the Deployment and its pods show it, else as far as the status tells."""
    scaling = mapping(status.get("scaling"))
    rejected = from_timestamp(scaling.get("backoffUntil")) or 0.0
    if seen.deployment is not None and seen.pods is not None:
        deployment = {"spec": mapping(seen.deployment.get("spec"))}
        found = pool_of(deployment, workers, replica_failure(seen.deployment))
        return replace(found, rejected_until=rejected)
    wanted, ready = whole(scaling.get("desired")), whole(status.get("readyReplicas"))
    return Pool(wanted, ready=ready, loading=ready < wanted, running=ready, rejected_until=rejected)
