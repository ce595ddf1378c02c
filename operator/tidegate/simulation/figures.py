"""What a run came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.domain.outcome import Outcome
from tidegate.simulation.fleet import Fleet
from tidegate.simulation.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run came to; times in seconds."""

    policy: str
    requests: int
    attainment: float  # the share of all requests that completed and waited no longer than the target
    wait_mean: float  # waits are those of requests that a worker got
    wait_p50: float
    wait_p95: float
    wait_p99: float
    cold_starts: int  # times that a request found no worker ready, nor one before it waiting
    starts: int  # workers
    refused: int  # requests that no worker got
    replica_seconds: float
    decisions: int  # changes of the number of workers
    outcomes: dict[str, int]

    def cost(self, per_hour: float) -> float:
        """What the workers cost at a price for one worker and one hour."""
        return self.replica_seconds / 3600 * per_hour


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of them do not exceed (nearest rank); 0 for none."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * round(share * 1000) // 1000)
    return ordered[max(0, rank - 1)]


def figures(policy: str, ledger: Ledger, fleet: Fleet, cold_starts: int, decisions: int) -> Figures:
    """The figures of a run that is over."""
    waits, requests = sorted(ledger.waits), ledger.outcomes.total()
    return Figures(
        policy=policy,
        requests=requests,
        attainment=ledger.within / requests if requests else 1.0,
        wait_mean=sum(waits) / len(waits) if waits else 0.0,
        wait_p50=quantile(waits, 0.5),
        wait_p95=quantile(waits, 0.95),
        wait_p99=quantile(waits, 0.99),
        cold_starts=cold_starts,
        starts=fleet.started,
        refused=requests - len(waits),
        replica_seconds=fleet.total_paid(),
        decisions=decisions,
        outcomes={outcome.text: count for outcome, count in sorted(ledger.outcomes.items(), key=_word)},
    )


def _word(item: tuple[Outcome, int]) -> str:
    return item[0].text
