"""spec.pricing: what a worker costs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tidegate.api import scaling_rules as rules
from tidegate.api.base import Model, formed, with_rules


class Pricing(Model):
    """What one worker costs; tidegate multiplies it and takes it for granted."""

    per_replica_hour: Annotated[str, formed(rules.PRICE_PATTERN, rules.PRICE)] = Field(
        min_length=1,
        max_length=20,
        description=(
            "The price of one worker for one hour, as a decimal number in quotes, up to 999999999.999999, "
            'such as "0.40".'
        ),
        json_schema_extra=with_rules(rules.PRICE),
    )
    currency: Annotated[str, formed(rules.CURRENCY_PATTERN, rules.CURRENCY)] = Field(
        max_length=32,
        description="The currency, as its three letters of ISO 4217: USD, EUR, VND.",
        json_schema_extra=with_rules(rules.CURRENCY),
    )
