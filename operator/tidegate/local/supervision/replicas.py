"""Keeps as many workers of a service as there should be, as a Deployment and its ReplicaSets do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import WorkerFacts, worker_facts
from tidegate.local.supervision.entries import Entry
from tidegate.local.supervision.pods import Pods
from tidegate.local.supervision.replica_set import Goal, Steps, next_steps
from tidegate.resources.names import TEMPLATE_ANNOTATION, worker_deployment

_logger = logging.getLogger("tidegate.local")


@dataclass(frozen=True, slots=True)
class _Known:
    """A document is replaced, never edited: what was read of it stays true."""

    pod: Json
    deadline: float
    facts: WorkerFacts


class Replicas:
    """``told``: who must know at once that workers of a service have come or begun to go."""

    def __init__(self, pods: Pods, told: Callable[[ServiceKey], None]) -> None:
        self._pods = pods
        self._told = told
        self._known: dict[ServiceKey, dict[str, _Known]] = {}  # by uid
        self._cramped: set[ServiceKey] = set()  # a rollout that found no room, and said so

    def of(self, entry: Entry) -> int:
        """Workers that the service should have; at first as many as a predecessor left."""
        if entry.replicas is None:
            entry.replicas = sum(1 for worker in self.workers(entry) if worker.alive)
        return entry.replicas

    def workers(self, entry: Entry) -> tuple[WorkerFacts, ...]:
        """The facts of its pods, with the order in which they should go."""
        deadline = entry.service.spec.engine.startup_deadline_seconds
        before, now = self._known.get(entry.key, {}), dict[str, _Known]()
        for pod in self._pods.of(entry.key):
            uid = str(pod["metadata"]["uid"])
            known = before.get(uid)
            same = known is not None and known.pod is pod and known.deadline == deadline
            now[uid] = known if same and known else _Known(pod, deadline, worker_facts(pod, deadline))
        self._known[entry.key] = now
        return tuple(_with_cost(each.facts, entry.costs) for each in now.values())

    def deployment(self, entry: Entry) -> dict[str, Json]:
        """The Deployment that there would be on a cluster, as far as anybody reads it."""
        template = entry.template.hash if entry.template else ""
        annotations = {TEMPLATE_ANNOTATION: template} if template else {}
        name = worker_deployment(entry.key.name)
        return {
            "metadata": {"name": name, "namespace": entry.key.namespace},
            "spec": {
                "replicas": self.of(entry),
                "template": {"metadata": {"annotations": annotations}},
            },
        }

    def keep(self, entry: Entry) -> None:
        """Begins and ends what is due now. Without a template nothing begins; what nobody needs ends."""
        service, wanted = entry.service, self.of(entry)
        workers = self.workers(entry)
        entry.costs = {each.uid: each.deletion_cost for each in workers if each.uid in entry.costs}
        if entry.template is None:
            alike = [replace(worker, template="") for worker in workers]
            self._carry_out(entry, replace(next_steps(Goal(wanted, "", wanted), alike), begin=0))
            return
        self._pods.know(entry.template)
        goal = Goal(wanted, entry.template.hash, _most(service), service.spec.rollout == "Surge")
        self._carry_out(entry, next_steps(goal, workers))

    def end_all(self, key: ServiceKey) -> bool:
        """Ends every worker of a service that is no more; whether none is left."""
        pods = self._pods.of(key)
        for pod in pods:
            if "deletionTimestamp" not in pod["metadata"]:
                self._pods.delete(key.namespace, pod["metadata"]["name"])
        self._known.pop(key, None)
        return not self._pods.of(key)

    def _carry_out(self, entry: Entry, steps: Steps) -> None:
        if steps.no_room and entry.key not in self._cramped:
            self._cramped.add(entry.key)
            _logger.warning(
                "%s: there is no room for a new worker beside the old one, so the old one ends first, and "
                "requests are held meanwhile (spec.rollout is Surge)",
                entry.key,
            )
        elif steps == Steps():
            self._cramped.discard(entry.key)
        for name in steps.end:
            self._pods.delete(entry.key.namespace, name)
        for template in [entry.template] * steps.begin:
            if template is not None:
                self._pods.create(template)
        if steps.begin or steps.end:
            self._told(entry.key)


def _with_cost(worker: WorkerFacts, costs: Mapping[str, int]) -> WorkerFacts:
    return replace(worker, deletion_cost=costs[worker.uid]) if worker.uid in costs else worker


def _most(service: InferenceService) -> int:
    spec = service.spec
    return (spec.replicas or 0) if spec.scaling.mode == "External" else spec.scaling.max_replicas
