"""What a pass observes: the cache, the gateways' demand, the nodes, and what workers tell of their cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tidegate.api.config import effective_limit, service_key
from tidegate.api.v1alpha1 import InferenceService
from tidegate.control.boards import Boards
from tidegate.control.facts import phase_facts
from tidegate.control.isolation import cpu_isolated, needs_of
from tidegate.control.status import Observation
from tidegate.controller.node_policies import NodePolicies
from tidegate.domain.causes import Cause
from tidegate.domain.isolation import Verdict, isolation_of
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.service import ServiceKey
from tidegate.domain.static_nodes import no_static_node
from tidegate.domain.workers import WorkerFacts, worker_facts
from tidegate.kube.cache import Kind, ObjectCache
from tidegate.kube.territory import Everywhere, Territory
from tidegate.resources.names import GATEWAY_SERVICE_PORT


@dataclass(frozen=True)
class World(Boards):
    """All that is observed; ``default_max_depth`` and what is said of the gateways are the installation's.

    ``gateway_drain_seconds``: what a gateway that is to end gives the requests that it serves; 0: unknown.
    ``node_cache``: the installation's folder for caches on each node; empty: none.
    """

    default_max_depth: int
    gateway_port: int = GATEWAY_SERVICE_PORT
    gateway_drain_seconds: int = 0
    node_cache: str = ""
    cache: ObjectCache = field(default_factory=ObjectCache)
    nodes: NodePolicies = field(default_factory=NodePolicies)
    territory: Territory = field(default_factory=Everywhere)

    @property
    def sees_nodes(self) -> bool:
        """Whether nodes are known at all; an installation for one namespace has no right to them."""
        return self.territory.namespace is None

    def services(self) -> list[dict[str, Any]]:
        """The InferenceServices that are this installation's, as the API server has them."""
        keys = (key for key in self.cache.service_keys() if self.territory.owns(key.namespace))
        found = (self.cache.get(Kind.INFERENCE_SERVICE, key.namespace, key.name) for key in keys)
        return [raw for raw in found if raw]

    def workers(self, service: InferenceService) -> tuple[WorkerFacts, ...]:
        """The pods of a service."""
        return self.workers_of(service_key(service), service.spec.engine.startup_deadline_seconds)

    def workers_of(self, key: ServiceKey, startup_deadline: float) -> tuple[WorkerFacts, ...]:
        """The same where the spec cannot be read; ``startup_deadline`` in seconds."""
        return tuple(worker_facts(pod, startup_deadline) for pod in self.cache.of_service(Kind.POD, key))

    def observation(
        self,
        service: InferenceService,
        workers: tuple[WorkerFacts, ...],
        load: Load,
        decision: ScaleDecision,
        cause: Cause | None,
    ) -> Observation:
        """What the status is made of; ``cause``: why a worker is not ready."""
        facts = phase_facts(service, workers, decision.replicas, cause, self._advice(service))
        limit = effective_limit(service, self.default_max_depth)
        isolation = isolation_of(workers, self.nodes.policy)
        return Observation(facts, workers, limit, load, decision, isolation, self.gateway_port)

    def verdict(
        self, service: InferenceService, workers: tuple[WorkerFacts, ...], now: float
    ) -> Verdict | None:
        """What the workers' evidence says of their cores; None where isolation is not asked for."""
        return cpu_isolated(service, workers, self.nodes.label, self.evidence, now)

    def _advice(self, service: InferenceService) -> Callable[[Cause | None], Cause | None]:
        """What a worker without a node is told where it requires what no node gives."""
        if service.spec.cpu_isolation != "Required" or not self.sees_nodes:
            return lambda cause: cause
        return partial(no_static_node, needs=needs_of(service.spec), nodes=self.nodes.facts())
