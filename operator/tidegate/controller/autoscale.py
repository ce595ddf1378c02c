"""From what was observed to a decision about the number of workers; the deciding itself is in the domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate.api.config import service_key
from tidegate.api.scaling import windows_of
from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.v1alpha1 import InferenceService
from tidegate.controller.counters import CounterWatch
from tidegate.controller.deletion_order import DeletionOrder
from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.causes import Cause
from tidegate.domain.rejections import BackOff
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, Pool, ScaleDecision
from tidegate.domain.scaling_metrics import Metric, PerReplica, QueueDelay
from tidegate.domain.schedule import minimum_at
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import WorkerFacts


@dataclass(frozen=True, slots=True)
class Scene:
    """What a decision depends on, at one moment; ``now``: Unix time."""

    deployment: dict[str, Any]
    workers: tuple[WorkerFacts, ...]
    load: Load
    refused: Cause | None  # why the Deployment cannot make its pods, if it cannot
    now: float
    back_off: BackOff | None = None  # after workers that their kubelet rejected

    @property
    def pool(self) -> Pool:
        """The workers as they are."""
        until = self.back_off.until if self.back_off else 0.0
        return replace(pool_of(self.deployment, self.workers, self.refused), rejected_until=until)

    @property
    def backs_off(self) -> BackOff | None:
        """The pause, where it is not over."""
        return self.back_off if self.back_off and self.back_off.until > self.now else None


class Autoscaler:
    """Decides, asks the workers' counters where the decision wants them, and remembers what was needed.

    What it remembers is lost with it: the next one takes all that run for needed until then.
    """

    def __init__(self, counters: CounterWatch, order: DeletionOrder | None = None) -> None:
        """``order`` None: a ReplicaSet chooses who of a surplus goes."""
        self._counters = counters
        self._order = order
        self._memories: dict[ServiceKey, Memory] = {}

    async def decide(
        self, service: InferenceService, look: Callable[[], Scene | None]
    ) -> tuple[Scene, ScaleDecision] | None:
        """The number of workers that a service should have, and what was seen then.

        ``look`` returns the scene as it is at that moment, None: there is nothing to scale. It is called
        again after workers were asked: a request that came meanwhile must not find its worker asleep.
        """
        decided = await self._decide(service, look)
        if decided is None or not await self._arranged(service, *decided):
            return decided
        return await self._decide(service, look)

    async def _arranged(self, service: InferenceService, scene: Scene, decision: ScaleDecision) -> bool:
        """Before a decrease the least busy workers are marked; whether that took time."""
        if self._order is None or decision.replicas >= scene.pool.replicas:
            return False
        return await self._order.arrange(service.metadata.namespace, scene.workers, decision.replicas)

    async def _decide(
        self, service: InferenceService, look: Callable[[], Scene | None]
    ) -> tuple[Scene, ScaleDecision] | None:
        if (scene := look()) is None:
            return None
        decision = self._decided(service, scene)
        if not decision.ask_counters:
            return scene, decision
        hosts = {worker.name: worker.host for worker in scene.workers if worker.ready and worker.host}
        counters = await self._counters.ask(service_key(service), hosts, scene.now)
        if (scene := look()) is None:
            return None
        return scene, self._decided(service, scene, counters)

    def _decided(
        self, service: InferenceService, scene: Scene, counters: Counters | None = None
    ) -> ScaleDecision:
        key = service_key(service)
        decision, self._memories[key] = decide(
            bounds_of(service.spec, scene.now),
            scene.pool,
            scene.load,
            scene.now,
            self._memories.get(key, Memory()),
            counters,
        )
        return decision

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._counters.forget(key)
        self._memories.pop(key, None)


def bounds_of(spec: InferenceServiceSpec, now: float) -> Bounds:
    """What the spec says about the number of workers at ``now``, Unix time. ValueError: a schedule cannot be
    read."""
    scaling, delay = spec.scaling, spec.scaling.scale_down_delay_seconds
    return Bounds(
        minimum=scaling.min_replicas,
        maximum=scaling.max_replicas,
        idle_timeout=scaling.idle_timeout_seconds,
        metric=metric_of(spec),
        suspended=spec.suspend,
        external=spec.replicas if scaling.mode == "External" else None,
        scale_down_delay=scaling.idle_timeout_seconds if delay is None else delay,
        scheduled=minimum_at(windows_of(scaling.schedules), now),
    )


def metric_of(spec: InferenceServiceSpec) -> Metric:
    """What is counted; three quarters of what a worker runs at once where the spec does not say."""
    metric, slots = spec.scaling.metric, spec.engine.max_concurrency
    if metric and metric.queue_delay:
        return QueueDelay(metric.queue_delay.target_milliseconds / 1000, slots)
    if metric and metric.request_count:
        return PerReplica(metric.request_count.per_replica)
    if metric and metric.concurrency:
        return PerReplica(metric.concurrency.target_per_replica)
    return PerReplica(max(1, slots * 3 // 4))


def pool_of(deployment: dict[str, Any], workers: Sequence[WorkerFacts], refused: Cause | None) -> Pool:
    """The workers as they are; ``refused``: why the Deployment cannot make its pods, if it cannot."""
    replicas = int(deployment["spec"].get("replicas", 0))
    alive = [worker for worker in workers if worker.alive]
    due = len(alive) < replicas and refused is None  # a pod that is about to be made
    trying = [worker.created for worker in alive if not worker.ready]
    return Pool(
        replicas=replicas,
        ready=sum(1 for worker in alive if worker.ready),
        loading=due or any(worker.loading for worker in alive),
        ready_since=max((worker.ready_since for worker in alive if worker.ready_since), default=None),
        trying_since=max(trying, default=0.0),
        running=sum(1 for worker in alive if worker.started or worker.ready),
    )
