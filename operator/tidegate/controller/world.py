"""What a pass observes: the cache, the gateways' demand, and the nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tidegate.api.config import effective_limit, service_key
from tidegate.api.v1alpha1 import InferenceService
from tidegate.controller.demand import DemandBoard
from tidegate.controller.facts import phase_facts, previous_conditions
from tidegate.controller.node_sizes import NodeSizes
from tidegate.controller.slo_board import SloBoard
from tidegate.controller.status import Observation
from tidegate.domain.causes import Cause
from tidegate.domain.conditions import SLO_MET, Condition, condition_in
from tidegate.domain.isolation import isolation_of, no_static_node
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import WorkerFacts, worker_facts
from tidegate.kube.cache import Kind, ObjectCache
from tidegate.kube.territory import Everywhere, Territory
from tidegate.resources.names import CPU_POLICY_LABEL, GATEWAY_SERVICE_PORT

Json = dict[str, Any]


class NodePolicies:
    """The CPU manager policy of every node, as its label says, and ``sizes``: what each has to give."""

    def __init__(self) -> None:
        self.sizes = NodeSizes()
        self._policies: dict[str, str] = {}

    def put(self, node: Json) -> bool:
        """A node is new or has changed; whether its policy has."""
        self.sizes.put(node)
        name, label = node["metadata"]["name"], _policy(node)
        if self._policies.get(name) == label:
            return False
        self._policies.pop(name, None)
        if label:
            self._policies[name] = label
        return True

    def remove(self, name: str) -> bool:
        """A node is gone; whether it had a policy."""
        self.sizes.remove(name)
        return self._policies.pop(name, None) is not None

    def replace_all(self, nodes: Iterable[Json]) -> bool:
        """These are all the nodes; whether any policy is another."""
        before, listed = self._policies, list(nodes)
        self.sizes.replace_all(listed)
        self._policies = {node["metadata"]["name"]: label for node in listed if (label := _policy(node))}
        return self._policies != before

    def policy(self, node: str) -> str | None:
        """The label of a node; None where it has none."""
        return self._policies.get(node)

    def any_static(self) -> bool:
        """Whether any node gives exclusive cores."""
        return "static" in self._policies.values()


@dataclass(frozen=True)
class World:
    """All that is observed; ``default_max_depth`` and the gateways' port are the installation's."""

    default_max_depth: int
    gateway_port: int = GATEWAY_SERVICE_PORT
    cache: ObjectCache = field(default_factory=ObjectCache)
    board: DemandBoard = field(default_factory=DemandBoard)
    nodes: NodePolicies = field(default_factory=NodePolicies)
    slos: SloBoard = field(default_factory=SloBoard)
    territory: Territory = field(default_factory=Everywhere)

    @property
    def sees_nodes(self) -> bool:
        """Whether nodes are known at all; an installation for one namespace has no right to them."""
        return self.territory.namespace is None

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
        required = service.spec.cpu_isolation == "Required"
        any_static = self.nodes.any_static() or not self.sees_nodes  # then nobody here can say that none is
        advise = partial(no_static_node, required=required, any_static=any_static)
        facts = phase_facts(service, workers, decision.replicas, cause, advise)
        limit = effective_limit(service, self.default_max_depth)
        isolation = isolation_of(workers, self.nodes.policy)
        return Observation(facts, workers, limit, load, decision, isolation, self.gateway_port)

    def other_conditions(self, service: InferenceService, now: float) -> tuple[Condition, ...]:
        """The conditions that other evidence decides than the pods' status; ``now``: Unix time."""
        targets = service.spec.slo.targets() if service.spec.slo else ()
        before = condition_in(previous_conditions(service), SLO_MET)
        slo_met = self.slos.condition(service_key(service), targets, before, now)
        return (slo_met,) if slo_met else ()


def _policy(node: Json) -> str | None:
    label = (node["metadata"].get("labels") or {}).get(CPU_POLICY_LABEL)
    return str(label) if label else None
