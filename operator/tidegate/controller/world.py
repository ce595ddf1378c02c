"""What a pass observes: the cache, the gateways' demand, the nodes, and what workers tell of their cores."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.api.config import effective_limit, service_key
from tidegate.api.v1alpha1 import InferenceService
from tidegate.controller.demand import DemandBoard
from tidegate.controller.evidence import EvidenceBoard
from tidegate.controller.isolation import cpu_isolated, needs_of
from tidegate.controller.node_policies import NodePolicies
from tidegate.controller.status import Observation
from tidegate.domain.causes import Cause
from tidegate.domain.conditions import remembered_cause
from tidegate.domain.isolation import Verdict, isolation_of
from tidegate.domain.phases import PhaseFacts
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.static_nodes import no_static_node
from tidegate.domain.workers import WorkerFacts, worker_facts
from tidegate.kube.cache import Kind, ObjectCache
from tidegate.resources.names import GATEWAY_SERVICE_PORT


@dataclass(frozen=True)
class World:
    """All that is observed; ``default_max_depth`` and the gateways' port are the installation's."""

    default_max_depth: int
    gateway_port: int = GATEWAY_SERVICE_PORT
    cache: ObjectCache = field(default_factory=ObjectCache)
    board: DemandBoard = field(default_factory=DemandBoard)
    nodes: NodePolicies = field(default_factory=NodePolicies)
    evidence: EvidenceBoard = field(default_factory=EvidenceBoard)

    def workers(self, service: InferenceService) -> tuple[WorkerFacts, ...]:
        """The pods of a service."""
        deadline = service.spec.engine.startup_deadline_seconds
        pods = self.cache.of_service(Kind.POD, service_key(service))
        return tuple(worker_facts(pod, deadline) for pod in pods)

    def observation(
        self,
        service: InferenceService,
        workers: tuple[WorkerFacts, ...],
        load: Load,
        decision: ScaleDecision,
        cause: Cause | None,
    ) -> Observation:
        """What the status is made of; ``cause``: why a worker is not ready."""
        if service.spec.cpu_isolation == "Required":
            cause = no_static_node(cause, needs_of(service.spec), self.nodes.facts())
        ready = sum(1 for worker in workers if worker.ready)
        facts = PhaseFacts(
            suspended=service.spec.suspend,
            wanted=decision.replicas,
            ready=ready,
            remaining=sum(1 for worker in workers if not worker.ended),
            cause=cause,
            remembered=_remembered(service) or (cause if ready == 0 else None),
        )
        limit = effective_limit(service, self.default_max_depth)
        isolation = isolation_of(workers, self.nodes.policy)
        return Observation(facts, workers, limit, load, decision, isolation, self.gateway_port)

    def verdict(
        self, service: InferenceService, workers: tuple[WorkerFacts, ...], now: float
    ) -> Verdict | None:
        """What the workers' evidence says of their cores; None where isolation is not asked for."""
        return cpu_isolated(service, workers, self.nodes, self.evidence, now)

    def look_at_cores(self, service: InferenceService, workers: tuple[WorkerFacts, ...]) -> None:
        """Have the ready workers of a service asked what cores they have, if it cares."""
        asked = () if service.spec.cpu_isolation == "None" else workers
        self.evidence.follow(service_key(service), asked)


def _remembered(service: InferenceService) -> Cause | None:
    conditions = service.status.conditions if service.status else ()
    previous = [condition.model_dump(by_alias=True) for condition in conditions]
    return remembered_cause(previous, service.metadata.generation)
