"""Which request, watch or event meets which fault: drawn from a seed, not from anything that time decides."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """``kind``: pass | refuse | cut (before it is carried out) | lose (after) | stale (a list from earlier).

    ``seconds``: how much later than asked.
    """

    kind: str = "pass"
    status: int = 0
    reason: str = ""
    retry_after: int | None = None
    seconds: float = 0.0


_REQUESTS = (
    Fault("refuse", 409, "Conflict"),
    Fault("refuse", 429, "TooManyRequests"),
    Fault("refuse", 429, "TooManyRequests", retry_after=1),
    Fault("refuse", 500, "InternalError"),
    Fault("refuse", 503, "ServiceUnavailable"),
    Fault("refuse", 504, "Timeout"),
    Fault("cut"),
    Fault("lose"),
    Fault("pass", seconds=0.3),
    Fault("lose", seconds=0.3),
)
_READ = tuple(fault for fault in _REQUESTS if fault.status != 409)  # no read is ever a conflict
_READS = (*_READ, *(Fault("stale") for _ in _READ))


@dataclass
class Schedule:
    """Faults by a seed: the n-th request to a path meets the same in every run. ``calm``: none any more."""

    seed: str
    requests: float = 0.35  # the share that meets a fault
    events: float = 0.35
    calm: bool = False
    met: Counter[str] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)

    def of_request(self, method: str, path: str) -> Fault:
        """The fault of the next request of this method and path."""
        chance = self._chance(f"{method} {path}", self.requests)
        if chance is None:
            return Fault()
        return self._met(chance.choice(_READS if method == "GET" else _REQUESTS))

    def of_watch(self, path: str) -> str:
        """How the next watch begins."""
        chance = self._chance(f"WATCH {path}", self.events)
        return "pass" if chance is None else self._noted(chance.choice(("expired", "jump")))

    def of_event(self, path: str) -> str:
        """What becomes of the next event."""
        chance = self._chance(f"EVENT {path}", self.events)
        return "pass" if chance is None else self._noted(chance.choice(("drop", "double", "swap", "end")))

    def _chance(self, what: str, share: float) -> random.Random | None:
        """Where a fault is due, what it is drawn from."""
        if self.calm:
            return None
        self._seen[what] += 1
        chance = random.Random(f"{self.seed}|{what}|{self._seen[what]}")  # noqa: S311  faults, no secrets
        return chance if chance.random() < share else None

    def _met(self, fault: Fault) -> Fault:
        words = (fault.kind, str(fault.status or ""), "slow" if fault.seconds else "")
        self._noted(" ".join(word for word in words if word))
        return fault

    def _noted(self, what: str) -> str:
        self.met[what] += 1
        return what


def no_faults() -> Schedule:
    """Nothing happens."""
    return Schedule("", calm=True)
