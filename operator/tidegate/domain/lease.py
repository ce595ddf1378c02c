"""Who leads: one candidate's part in the election over a Lease, as a pure state machine.

Nobody's clock but one's own is trusted, and of that only how much time has passed. A leader counts from the
moment at which it *sent* its last renewal that was answered, and stops after ``renew_deadline``. Another one
counts from the moment at which it had *read* that renewal, and begins after ``duration``. The second moment
is never before the first, so with 7 and 10 s both clocks may run 17 % wrong before two lead at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

DURATION = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """In seconds. ``duration``: how long a record holds that nobody renews, written into the Lease for the
    others. ``renew_deadline``: how long a leader acts on its last renewal. ``retry``: between two renewals,
    and between two looks of who does not lead. ``call``: how long one request may take. ``absent``: how long
    there must be no Lease until who never saw one makes it: somebody may have deleted a leader's, which
    learns it by its watch, or by its next renewal."""

    duration: float = DURATION
    renew_deadline: float = 7.0
    retry: float = 2.0
    call: float = 2.5
    absent: float = 3.0


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A Lease as it was read. ``holder``: an identity, empty where it was released. ``version`` is another
    with every write, whoever made it, and empty where there is no Lease. ``transitions``: how often the
    holder has changed."""

    holder: str = ""
    version: str = ""
    duration: float = DURATION
    transitions: int = 0


class Step(StrEnum):
    """What a candidate does next."""

    READ = "read"
    ACQUIRE = "acquire"  # write itself as the holder, on the version that was read
    RENEW = "renew"  # the same, as the holder
    WAIT = "wait"
    LOST = "lost"  # stop acting, now


@dataclass(frozen=True, slots=True)
class Decision:
    """``seconds`` until the next decision; 0 for everything but WAIT."""

    step: Step
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Election:
    """One candidate. Every method returns the state after it; ``now`` is that candidate's monotonic clock."""

    identity: str
    times: LeaseTimes = LeaseTimes()
    record: LeaseRecord = LeaseRecord()
    known: bool = False  # the record was read, or written, since the last thing that went wrong
    read_at: float = 0.0  # when it was read last
    seen_at: float = 0.0  # since when this version has stood
    absent_since: float | None = None  # since when no Lease was found
    not_before: float = 0.0  # after a failure: no request sooner
    sent_at: float | None = None  # when the renewal was sent by which it leads; None: it does not

    def leads(self, now: float) -> bool:
        """Whether it may act at this instant."""
        return self.sent_at is not None and now < self.sent_at + self.times.renew_deadline

    def decide(self, now: float) -> Decision:
        """What to do at this instant."""
        if self.sent_at is not None and not (self.leads(now) and self._still_holder):
            return Decision(Step.LOST)
        if now < self.not_before:
            return Decision(Step.WAIT, self._until(self.not_before, now))
        if not self.known:
            return Decision(Step.READ)
        return self._renewal(now, self.sent_at) if self.sent_at is not None else self._candidacy(now)

    def budget(self, now: float) -> float:
        """Seconds that a request may take which is sent now; a leader's ends with its leading."""
        if self.sent_at is None:
            return self.times.call
        return min(self.times.call, self.sent_at + self.times.renew_deadline - now)

    def was_read(self, record: LeaseRecord | None, now: float) -> Election:
        """The Lease was read, None: there is none; ``now``: when the answer was here.

        Of a Lease that was deleted the last holder may not know yet: it is given as long as if it had died.
        """
        absent_since = None if record else now if self.absent_since is None else self.absent_since
        record = record or replace(self.record, version="")
        seen_at = self.seen_at if record.version == self.record.version else now
        return replace(
            self, record=record, known=True, read_at=now, seen_at=seen_at, absent_since=absent_since
        )

    def was_written(self, record: LeaseRecord, sent_at: float, now: float) -> Election:
        """Our write was accepted; ``sent_at``: before its request left."""
        return replace(
            self,
            record=record,
            known=True,
            read_at=now,
            seen_at=now,
            absent_since=None,
            not_before=0.0,
            sent_at=sent_at,
        )

    def failed(self, now: float, pause: float) -> Election:
        """A request was refused, or its answer is lost: whether it was carried out must be read, not sooner
        than after ``pause`` seconds."""
        return replace(self, known=False, not_before=now + pause)

    def stirred(self) -> Election:
        """Somebody says that the Lease has changed."""
        return replace(self, known=False)

    def stepped_down(self) -> Election:
        """It does not act any more."""
        return replace(self, sent_at=None)

    @property
    def transitions(self) -> int:
        """What an acquisition writes as the number of changes of the holder."""
        return self.record.transitions + (self.record.holder != self.identity)

    @property
    def _free_at(self) -> float:
        """From when on it may write itself as the holder."""
        if self.record.holder == self.identity:
            return 0.0
        if self.record.holder:
            return self.seen_at + self.record.duration
        return 0.0 if self.absent_since is None else self.absent_since + self.times.absent

    @property
    def _still_holder(self) -> bool:
        return not self.known or (self.record.version != "" and self.record.holder == self.identity)

    def _renewal(self, now: float, sent_at: float) -> Decision:
        due = sent_at + self.times.retry
        return Decision(Step.RENEW) if now >= due else Decision(Step.WAIT, self._until(due, now))

    def _candidacy(self, now: float) -> Decision:
        free_at, look_at = self._free_at, self.read_at + self.times.retry
        if now >= free_at:
            return Decision(Step.ACQUIRE)
        return Decision(Step.READ) if now >= look_at else Decision(Step.WAIT, min(free_at, look_at) - now)

    def _until(self, moment: float, now: float) -> float:
        """Seconds to wait for a moment, but never past the end of leading."""
        if self.sent_at is not None:
            moment = min(moment, self.sent_at + self.times.renew_deadline)
        return moment - now
