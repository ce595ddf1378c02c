"""What a pass observes: the cache, the gateways' demand, and the nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tidegate.api.config import effective_limit, service_key
from tidegate.api.v1alpha1 import InferenceService
from tidegate.controller.demand import DemandBoard
from tidegate.controller.node_sizes import NodeSizes
from tidegate.controller.status import Observation
from tidegate.domain.causes import Cause
from tidegate.domain.conditions import remembered_cause
from tidegate.domain.isolation import isolation_of, no_static_node
from tidegate.domain.phases import PhaseFacts
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.workers import WorkerFacts, worker_facts
from tidegate.kube.cache import Kind, ObjectCache
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
        required, any_static = service.spec.cpu_isolation == "Required", self.nodes.any_static()
        cause = no_static_node(cause, required=required, any_static=any_static)
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


def _policy(node: Json) -> str | None:
    label = (node["metadata"].get("labels") or {}).get(CPU_POLICY_LABEL)
    return str(label) if label else None


def _remembered(service: InferenceService) -> Cause | None:
    conditions = service.status.conditions if service.status else ()
    previous = [condition.model_dump(by_alias=True) for condition in conditions]
    return remembered_cause(previous, service.metadata.generation)
