"""What workers cost: decimal arithmetic, so that a sum of prices is a price."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """What one worker costs for one hour; ``currency`` by its three letters."""

    per_hour: Decimal
    currency: str


def cost_per_hour(price: Price, workers: int) -> str:
    """The cost of so many workers, exactly: 3 at 0.40 are 1.20."""
    return f"{price.per_hour * workers:f}"
