"""What a status is made of, from the workers of this machine and what is heard of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tidegate.api.config import effective_limit
from tidegate.control.autoscale import Scene
from tidegate.control.boards import Boards
from tidegate.control.facts import phase_facts, worker_phase_facts
from tidegate.control.isolation import cpu_isolated
from tidegate.control.status import Observation, blocked_status, status_of
from tidegate.domain.cause import Cause
from tidegate.domain.conditions import INVALID_SPEC, settled_since
from tidegate.domain.isolation import isolation_of
from tidegate.domain.phases import PhaseFacts
from tidegate.domain.scaling import ScaleDecision
from tidegate.domain.workers import WorkerFacts, first_cause
from tidegate.local.supervision import cores
from tidegate.local.supervision.entries import Entry
from tidegate.local.supervision.pods import Pods
from tidegate.local.supervision.replicas import Replicas

Json = dict[str, Any]


@dataclass(frozen=True)
class Observer:
    """``url_base``: where clients reach the gateway, such as http://127.0.0.1:8080."""

    pods: Pods
    replicas: Replicas
    boards: Boards
    default_max_depth: int
    url_base: str

    def workers(self, entry: Entry) -> tuple[WorkerFacts, ...]:
        """As far as their cores are judged."""
        return cores.with_cores(self.replicas.workers(entry), self.pods.of(entry.key))

    def status(self, entry: Entry, scene: Scene, decision: ScaleDecision) -> Json:
        """The status as it should stand; a field that does not apply is None."""
        settled = settled_since(entry.status.get("conditions") or ())
        cause = scene.backs_off.cause if scene.backs_off else first_cause(scene.workers, settled)
        if entry.fault:
            facts = worker_phase_facts(scene.workers, decision.replicas, cause, _as_it_is)
            facts = replace(facts, here=True)
            return blocked_status(entry.document, Cause(INVALID_SPEC, entry.fault), facts, scene.now)
        facts = phase_facts(entry.service, scene.workers, decision.replicas, cause, _as_it_is)
        seen = self._observation(entry, scene, decision, replace(facts, here=True))
        wanted = status_of(entry.service, seen, entry.status, scene.now)
        self.boards.ask_about_start(entry.key, wanted, scene.workers)
        return wanted

    def _observation(
        self, entry: Entry, scene: Scene, decision: ScaleDecision, facts: PhaseFacts
    ) -> Observation:
        service, pods, workers = entry.service, self.pods.of(entry.key), self.workers(entry)
        verdict = cpu_isolated(service, workers, cores.label, self.boards.evidence, scene.now)
        return Observation(
            facts=facts,
            workers=scene.workers,
            limit=effective_limit(service, self.default_max_depth),
            load=scene.load,
            decision=decision,
            isolation=isolation_of(workers, lambda node: cores.label(node).policy),
            url=f"{self.url_base}/{entry.key}/v1",
            others=self.boards.other_conditions(service, scene.now),
            verdict=cores.said_by(verdict, pods),
            back_off=scene.backs_off,
            starts=self.boards.cold_starts(service),
        )


def _as_it_is(cause: Cause | None) -> Cause | None:
    """There are no other nodes that could be advised."""
    return cause
