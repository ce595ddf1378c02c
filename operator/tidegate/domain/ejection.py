"""Which endpoints of a service are out because they failed, until when, and which are on trial.

::

    in ── failure ──▶ out until a probe answers ──▶ in
                            │ failed again without an answer between
                            ▼
                      out for 1, 2, 4 … 30 s ──▶ on trial: one request at a time
                            ▲                        │         │
                            └───────── failure ──────┘         └─ answer ──▶ in

A worker that merely restarts fails once, is gone for its probes too, and is in again with the first probe
that answers. One whose probes answer while its requests fail stays out for longer each time. A probe that
fails ends the back-off: what answers there next is another process.

An answer of 500 or more is an answer, and is passed on. It says little of the endpoint (a request can be at
fault), so that only ``ERRORS`` of them in a row count as a failure, and only where another endpoint takes
the work: a broken one answers faster than the others, and least in flight would send it everything.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tidegate.domain.flow_ticket import EndpointKey

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
ERRORS = 5  # answers of 500 or more in a row


def back_off(failures: int, jitter: float) -> float:
    """Seconds out after so many failures in a row; ``jitter`` (0 to 1) takes up to a fifth of them away, so
    that several gateways do not come back together. The first failure costs none: a probe decides."""
    if failures < 2:
        return 0.0
    return min(FIRST_SECONDS * 2.0 ** min(failures - 2, 16), LONGEST_SECONDS) * (1.0 - 0.2 * jitter)


@dataclass(slots=True)
class Record:
    """One endpoint that has failed, or answers with errors, and has not answered well since."""

    failures: int = 0
    errors: int = 0
    out: bool = False
    until: float = 0.0  # the end of its back-off
    since: float = 0.0  # it came in again; what was dispatched before that is of the time before


class Ejections:
    """The records of one service's endpoints; an endpoint without one is well, so usually it is empty."""

    def __init__(self) -> None:
        self.records: dict[EndpointKey, Record] = {}  # to be read only

    def is_out(self, key: EndpointKey) -> bool:
        """True where it takes no request."""
        record = self.records.get(key)
        return record is not None and record.out

    def on_trial(self) -> set[EndpointKey]:
        """Those that take one request at a time, until one is answered."""
        return {key for key, record in self.records.items() if record.failures > 1 and not record.out}

    def failed(self, key: EndpointKey, dispatched: float, now: float, jitter: float) -> float | None:
        """A request that was dispatched then has failed there: seconds that the endpoint is out for at least.

        None where that is known already: the requests that ran when a worker died are one failure.
        """
        record = self.records.setdefault(key, Record())
        if record.out or dispatched < record.since:
            return None
        record.failures += 1
        record.errors, record.out = 0, True
        seconds = back_off(record.failures, jitter)
        record.until = now + seconds
        return seconds

    def begin_trial(self, key: EndpointKey) -> None:
        """Another gateway has it on trial: its next answer matters."""
        record = self.records.setdefault(key, Record(failures=2))
        record.failures = max(record.failures, 2)

    def answered(self, key: EndpointKey, status: int, dispatched: float, *, alone: bool) -> bool:
        """An answer has begun; True where it is the error that counts as a failure. ``alone``: no other
        endpoint takes work, and to wait for this one would hide its answers and help nobody."""
        record = self.records.get(key)
        if status < 500 or alone:
            if record is not None and not record.out and dispatched >= record.since:
                del self.records[key]
            return False
        if record is None:
            record = self.records[key] = Record()
        record.errors += 1
        return record.errors >= ERRORS or record.failures > 1

    def probed(self, key: EndpointKey, *, answers: bool, now: float) -> bool:
        """What a probe found; True where the endpoint takes requests from now on."""
        record = self.records.get(key)
        if record is None or not record.out:
            return answers
        if not answers:
            record.until = now
        elif now >= record.until:
            record.out, record.since = False, now
            return True
        return False

    def keep(self, keys: Collection[EndpointKey]) -> None:
        """Forgets every other endpoint: it is gone, and what has its address later is new."""
        for key in [key for key in self.records if key not in keys]:
            del self.records[key]
