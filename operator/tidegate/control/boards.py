"""What is heard of services beside their objects: demand, evidence, targets, the parts of a start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tidegate.api.config import service_key
from tidegate.api.v1alpha1 import InferenceService
from tidegate.control.demand import DemandBoard
from tidegate.control.evidence import EvidenceBoard
from tidegate.control.facts import previous_conditions
from tidegate.control.slo_board import SloBoard
from tidegate.control.start_board import StartBoard
from tidegate.domain.conditions import SLO_MET, Condition, condition_in
from tidegate.domain.service import ServiceKey
from tidegate.domain.start_count import Starts, open_worker
from tidegate.domain.timestamps import from_timestamp
from tidegate.domain.workers import WorkerFacts


@dataclass(frozen=True, kw_only=True)
class Boards:
    """One of each; what is on them is about all services."""

    board: DemandBoard = field(default_factory=DemandBoard)
    evidence: EvidenceBoard = field(default_factory=EvidenceBoard)
    slos: SloBoard = field(default_factory=SloBoard)
    starts: StartBoard = field(default_factory=StartBoard)

    def look_at_cores(self, service: InferenceService, workers: tuple[WorkerFacts, ...]) -> None:
        """Have the ready workers of a service asked what cores they have, if it cares."""
        asked = () if service.spec.cpu_isolation == "None" else workers
        self.evidence.follow(service_key(service), asked)

    def cold_starts(self, service: InferenceService) -> Starts:
        """What gateways have told of a service's cold starts, and what was asked about the last one.

        Those of an earlier service of its name are not its own.
        """
        key, born = service_key(service), from_timestamp(service.metadata.creation_timestamp) or 0.0
        records = tuple(each for each in self.board.starts(key) if each.began >= born)
        return Starts(records, self.board.start_pending(key), partial(self.starts.details, key))

    def ask_about_start(
        self, key: ServiceKey, status: Mapping[str, Any], workers: tuple[WorkerFacts, ...]
    ) -> None:
        """Have what is missing of the last cold start asked for, where ``status`` has one without parts."""
        worker = open_worker(status.get("coldStarts") or {})
        for each in workers:
            if each.name == worker and each.ready and each.host:
                self.starts.want(key, each)

    def other_conditions(self, service: InferenceService, now: float) -> tuple[Condition, ...]:
        """The conditions that other evidence decides than the pods' status; ``now``: Unix time."""
        targets = service.spec.slo.targets() if service.spec.slo else ()
        before = condition_in(previous_conditions(service), SLO_MET)
        slo_met = self.slos.condition(service_key(service), targets, before, now)
        return (slo_met,) if slo_met else ()

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self.board.forget(key)
        self.evidence.follow(key, ())
        self.slos.forget(key)
        self.starts.forget(key)
