"""spec.pricing: what a worker costs."""

from __future__ import annotations

from pydantic import Field

from tidegate.api.base import Model


class Pricing(Model):
    """What one worker costs; tidegate multiplies it and takes it for granted."""

    per_replica_hour: str = Field(
        min_length=1,
        max_length=20,
        pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$",
        description=(
            "The price of one worker for one hour, as a decimal number in quotes, up to 999999999.999999, "
            'such as "0.40".'
        ),
    )
    currency: str = Field(
        min_length=3,
        max_length=3,
        pattern="^[A-Z]{3}$",
        description="The currency, as its three letters of ISO 4217: USD, EUR, VND.",
    )
