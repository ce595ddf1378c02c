"""What the cycles have shown: requests lost, doubled or refused, and how often somebody was woken."""

from __future__ import annotations

import os
import platform
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from tests.e2e.cycles.client import Sent
from tests.e2e.cycles.ledger import Ledger
from tests.e2e.cycles.scene import Pool

Json = dict[str, Any]
REFUSED = (429, 503)  # a budget or a queue was full


@dataclass(frozen=True)
class Wakes:
    """How often the services were woken, as each of those who know it tells; None: it cannot be known here.

    ``asked``: PATCHes of the scale, ``refused``: those that the API server refused, for the number was not 0.
    """

    seen: int
    counted: int
    asked: int | None
    refused: int | None


@dataclass(frozen=True)
class Verdict:
    """All of one run."""

    seed: int
    seconds: float
    sent: tuple[Sent, ...]
    ledger: Ledger
    pools: dict[str, Pool]
    wakes: Wakes
    load_before: float

    @property
    def cycles(self) -> int:
        """How often a service was woken and fell asleep again."""
        return sum(pool.sleeps for pool in self.pools.values())

    @property
    def lost(self) -> list[Sent]:
        """Requests without a whole answer, or that no engine has ended."""
        return [each for each in self.sent if each.failure or not self.ledger.ended[each.id]]

    @property
    def doubled(self) -> list[Sent]:
        """Requests that were run to their end more than once."""
        return [each for each in self.sent if self.ledger.ended[each.id] > 1]

    @property
    def over_budget(self) -> list[Sent]:
        """Requests that waited in vain."""
        return [each for each in self.sent if each.status in REFUSED]

    @property
    def wasted(self) -> list[str]:
        """Workers that were started and never answered a request."""
        return sorted(name for pool in self.pools.values() for name in pool.names - self.ledger.workers)

    def figures(self) -> list[Json]:
        """In the format that all results share."""
        waits = sorted(each.seconds for each in self.sent)
        found = [
            _figure("cycles", self.cycles, "1", None),
            _figure("requests", len(self.sent), "1", None),
            _figure("streams", sum(each.stream for each in self.sent), "1", None),
            _figure("lost", len(self.lost), "1", 0),
            _figure("doubled", len(self.doubled), "1", 0),
            _figure("over_the_budget", len(self.over_budget), "1", 0),
            _figure("wakes_per_cycle", self.wakes.counted / max(1, self.cycles), "ratio", 1),
            _figure("workers_that_answered_nobody", len(self.wasted), "1", 0),
            _figure("sent_again", sum(self.ledger.begun.values()) - len(self.ledger.begun), "1", None),
            _figure("answer_median", statistics.median(waits), "s", None),
            _figure("answer_p95", waits[int(len(waits) * 0.95)], "s", None),
            _figure("answer_longest", waits[-1], "s", None),
        ]
        if self.wakes.asked is not None:
            asked = self.wakes.asked / max(1, self.cycles)
            found.append(_figure("patches_per_cycle", asked, "ratio", 1))
        return found

    def result(self) -> Json:
        """The whole JSON."""
        return {
            "name": "wake_cycles",
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": _machine(self.load_before),
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "figures": self.figures(),
            "wakes": asdict(self.wakes),
            "phases": _by_phase(self.sent),
            "failed": [asdict(each) for each in (*self.lost, *self.doubled)],
        }


def _figure(name: str, value: float, unit: str, goal: float | None) -> Json:
    met = goal is None or value <= goal
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "goal": goal,
        "direction": "min",
        "met": met,
    }


def _machine(load_before: float) -> Json:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": round(load_before, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }


def _by_phase(sent: Iterable[Sent]) -> Json:
    """How many requests were sent on purpose in each phase, and in which the service was seen to be."""
    sent = tuple(sent)
    planned, seen = Counter(str(each.planned) for each in sent), Counter(each.seen for each in sent)
    return {"planned": dict(planned), "seen": dict(seen)}


def table(verdict: Verdict) -> str:
    """The figures for a terminal."""
    rows = [
        f"{each['name']:32} {each['value']:>10g} {each['unit']:6}"
        + ("" if each["goal"] is None else f" goal {each['goal']:g}: {'met' if each['met'] else 'MISSED'}")
        for each in verdict.figures()
    ]
    return "\n".join([f"seed {verdict.seed}, {verdict.seconds:.0f} s", *rows])
