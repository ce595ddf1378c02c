"""What a worker tells of its cores, and what looks at it one after the other add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tidegate.domain.core_list import Cores, parse_cores

MISSES = 3  # looks in a row without an answer before what was known is forgotten: a busy worker may miss one
LOOKS = 2  # that are needed to see whether throttled periods stand still
THROTTLED_SECONDS = 600.0  # without one more throttled period before a worker counts as left alone again


@dataclass(frozen=True, slots=True)
class WorkerEvidence:
    """One answer: the cores of the worker's container and of its whole node, and its throttled periods.

    ``throttled`` counts since the container's start; None where its cgroup tells none.
    """

    container: Cores
    node: Cores
    throttled: int | None = None

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
    throttled = answer.get("throttledPeriods")
    if isinstance(throttled, bool) or not isinstance(throttled, int | None):
        raise ValueError("throttledPeriods is not a whole number")
    container, node = _cores(answer, "containerCpus"), _cores(answer, "nodeCpus")
    if not container:
        raise ValueError("containerCpus names no core")
    return WorkerEvidence(container, node, throttled)


def _cores(answer: Mapping[str, object], name: str) -> Cores:
    text = answer.get(name)
    if not isinstance(text, str | None):
        raise ValueError(f"{name} is not a text")
    return parse_cores(text or "")


@dataclass(frozen=True, slots=True)
class Looks:
    """What is known of one worker. ``evidence`` None: it tells nothing. Times are Unix seconds."""

    evidence: WorkerEvidence | None = None
    answered: int = 0
    missed: int = 0  # in a row
    throttled_by: int = 0  # throttled periods that came between two looks, the last time any came
    throttled_at: float | None = None  # when that was seen

    @property
    def pending(self) -> bool:
        """Whether the next look may tell more than is known now: nothing should be concluded yet."""
        if self.evidence is None:
            return self.missed == 0
        return self.answered < LOOKS

    def throttled(self, now: float) -> bool:
        """Whether throttled periods grew a short while ago."""
        return self.throttled_at is not None and now - self.throttled_at < THROTTLED_SECONDS

    def after(self, evidence: WorkerEvidence | None, now: float) -> Looks:
        """One look more; ``evidence`` None: there was no answer."""
        if evidence is None:
            missed = self.missed + 1
            forget = self.evidence is None or missed >= MISSES
            return Looks(missed=missed) if forget else replace(self, missed=missed)
        grown = _grown(self.evidence, evidence)
        seen = replace(self, evidence=evidence, answered=self.answered + 1, missed=0)
        return replace(seen, throttled_by=grown, throttled_at=now) if grown else seen


def _grown(before: WorkerEvidence | None, after: WorkerEvidence) -> int:
    """By how much throttled periods grew; a count that went back is another container's."""
    if before is None or before.throttled is None or after.throttled is None:
        return 0
    return max(0, after.throttled - before.throttled)
