"""From what was observed to a decision about the number of workers; the deciding itself is in the domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tidegate.api.bounds import bounds_of
from tidegate.api.config import service_key
from tidegate.api.memory import last_start, remembered
from tidegate.api.v1alpha1 import InferenceService
from tidegate.control.counters import CounterWatch
from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.causes import Cause
from tidegate.domain.pools import pool_of
from tidegate.domain.rejections import BackOff
from tidegate.domain.scaling import Counters, Load, Pool, ScaleDecision
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


class Arranges(Protocol):
    """Who marks the workers that go first; control.deletion_order.DeletionOrder is one."""

    async def arrange(self, namespace: str, workers: Sequence[WorkerFacts], keep: int) -> bool:
        """Mark who goes when the pool shrinks to ``keep``; True where that took time."""
        ...


class Autoscaler:
    """Decides, asks the workers' counters where the decision wants them, and remembers what was needed.

    What was needed is lost with it: the next one takes all that run for needed until then. How short the last
    sleeps were stands in the status.
    """

    def __init__(self, counters: CounterWatch, order: Arranges | None = None) -> None:
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
        key, now = service_key(service), scene.now
        bounds, pool = (
            bounds_of(service.spec, now),
            replace(scene.pool, start_seconds=last_start(service.status)),
        )
        memory = remembered(service.status, self._memories.get(key, Memory()))
        decision, self._memories[key] = decide(bounds, pool, scene.load, now, memory, counters)
        return decision

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._counters.forget(key)
        self._memories.pop(key, None)
