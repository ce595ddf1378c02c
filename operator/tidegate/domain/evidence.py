"""What a worker tells of its cores, and what looks at it one after the other add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tidegate.domain.between_looks import Between, Counters, between
from tidegate.domain.core_list import Cores, parse_cores

MISSES = 3  # looks in a row without an answer before what was known is forgotten: a busy worker may miss one
LOOKS = 2  # that are needed to see whether counters stand still
TROUBLED_SECONDS = 600.0  # without one more such look before a worker counts as left alone again
COUNTERS = {
    "periods": "periods",
    "throttled": "throttledPeriods",
    "stopped": "throttledMicroseconds",
    "waited": "runQueueDelayMicroseconds",
    "used": "usedMicroseconds",
    "busy": "coresBusyMicroseconds",
}


@dataclass(frozen=True, slots=True)
class WorkerEvidence:
    """One answer: the cores of the worker's container and of its whole node, its quota in cores (None: none),
    and its counters."""

    container: Cores
    node: Cores
    quota: float | None = None
    counters: Counters = field(default_factory=Counters)

    def exclusive(self, cores: int) -> bool:
        """Whether this is what the static CPU manager gives to who asks for so many: exactly that many cores,
        and not simply all that the node has, of which some stay with the system."""
        return len(self.container) == cores and self.container != self.node

    def shared(self, cores: int) -> bool:
        """Whether it is what everybody gets: more cores than asked for, or all of the node."""
        return len(self.container) > cores or (len(self.container) == cores and not self.exclusive(cores))


def parse_evidence(answer: object) -> WorkerEvidence:
    """From the JSON of a worker's /isolation; ValueError where it is something else."""
    if not isinstance(answer, Mapping):
        raise ValueError("the answer is not a JSON object")
    quota = answer.get("quotaCores")
    if isinstance(quota, bool) or not isinstance(quota, int | float | None):
        raise ValueError("quotaCores is not a number")
    container, node = _cores(answer, "containerCpus"), _cores(answer, "nodeCpus")
    if not container:
        raise ValueError("containerCpus names no core")
    counters = Counters(**{kind: _count(answer, name) for kind, name in COUNTERS.items()})
    return WorkerEvidence(container, node, quota, counters)


def _count(answer: Mapping[str, object], name: str) -> int | None:
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise ValueError(f"{name} is not a whole number")
    return value


def _cores(answer: Mapping[str, object], name: str) -> Cores:
    text = answer.get(name)
    if not isinstance(text, str | None):
        raise ValueError(f"{name} is not a text")
    return parse_cores(text or "")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was seen at one look, and when (Unix seconds)."""

    seen: Between
    at: float

    def lasts(self, now: float) -> bool:
        """Whether it was a short while ago."""
        return now - self.at < TROUBLED_SECONDS


@dataclass(frozen=True, slots=True)
class Looks:
    """What is known of one worker. ``evidence`` None: it tells nothing. Times are Unix seconds."""

    evidence: WorkerEvidence | None = None
    answered: int = 0
    missed: int = 0  # in a row
    first_at: float | None = None  # its first answer in a row
    last_at: float = 0.0
    throttling: Trouble | None = None  # the last time that its quota stopped it
    neighbours: Trouble | None = None  # the last time that others cost it time on its cores

    @property
    def pending(self) -> bool:
        """Whether the next look may tell more than is known now: nothing should be concluded yet."""
        if self.evidence is None:
            return self.missed == 0
        return self.answered < LOOKS

    def throttled(self, now: float) -> Between | None:
        """What was seen when throttled periods grew a short while ago."""
        return self.throttling.seen if self.throttling and self.throttling.lasts(now) else None

    def disturbed(self, now: float) -> Between | None:
        """What was seen when others took time on its cores a short while ago."""
        return self.neighbours.seen if self.neighbours and self.neighbours.lasts(now) else None

    def young(self, now: float) -> bool:
        """Whether it is looked at for too short a time to say that former trouble is over."""
        return self.first_at is None or now - self.first_at < TROUBLED_SECONDS

    def after(self, evidence: WorkerEvidence | None, now: float) -> Looks:
        """One look more; ``evidence`` None: there was no answer."""
        if evidence is None:
            missed = self.missed + 1
            forget = self.evidence is None or missed >= MISSES
            return Looks(missed=missed) if forget else replace(self, missed=missed)
        first = now if self.first_at is None else self.first_at
        looks = replace(
            self, evidence=evidence, answered=self.answered + 1, missed=0, first_at=first, last_at=now
        )
        return looks if self.evidence is None else looks.troubled_by(self._since(evidence, now), now)

    def troubled_by(self, seen: Between, now: float) -> Looks:
        """The same with what this look brought to light."""
        trouble = Trouble(seen, now)
        return replace(
            self,
            throttling=trouble if seen.throttled else self.throttling,
            neighbours=trouble if seen.disturbed else self.neighbours,
        )

    def _since(self, evidence: WorkerEvidence, now: float) -> Between:
        before = self.evidence or evidence
        same = before.container == evidence.container
        return between(before.counters, evidence.counters, now - self.last_at, same_cores=same)
