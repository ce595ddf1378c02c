"""What a service costs, in its status."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tidegate.api.pricing import Pricing
from tidegate.domain.cost import Price, cost_per_hour

Json = dict[str, Any]


def cost_status(pricing: Pricing | None, workers: int) -> Json | None:
    """status.cost while so many workers exist; None without a price."""
    if pricing is None:
        return None
    price = Price(Decimal(pricing.per_replica_hour), pricing.currency)
    return {"perHour": cost_per_hour(price, workers), "currency": price.currency}
