"""spec.degradation: shorter answers while the queue is deep."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import rules
from tidegate.api.base import Model, require, with_rules


class DegradationStep(Model):
    """Beyond a depth of the queue: how long an answer may be."""

    above: int = Field(
        ge=0,
        le=100000,
        description=(
            "The step holds for a request that, when it is admitted, is one of more than this many that wait "
            "or run, itself counted."
        ),
    )
    max_tokens: int = Field(ge=1, le=1000000, description="The most tokens of such a request's answer.")


class Degradation(Model):
    """Shorter answers while the queue is deep. Absent: off."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(rules.STEPS_ASCEND, rules.STEPS_DESCEND, rules.CAP_ABOVE_STEPS)
    )

    max_tokens: int | None = Field(
        default=None,
        ge=1,
        le=1000000,
        description="The most tokens of an answer below the first step. Absent: as many as it asks for.",
    )
    steps: tuple[DegradationStep, ...] | None = Field(
        default=None,
        max_length=8,
        description=(
            "From the shallowest to the deepest. Absent: 128, 96 and 64 tokens above 25, 50 and 75 % of the "
            "queue's limit (rounded up), or maxTokens where that is less; they are filled in when the object "
            "is written, and the annotation tidegate.io/degradation-default records that. An empty list: "
            "maxTokens alone."
        ),
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        steps = self.steps or ()
        require(all(a.above < b.above for a, b in pairwise(steps)), rules.STEPS_ASCEND)
        require(all(a.max_tokens > b.max_tokens for a, b in pairwise(steps)), rules.STEPS_DESCEND)
        capped = self.max_tokens is not None and steps and self.max_tokens < steps[0].max_tokens
        require(not capped, rules.CAP_ABOVE_STEPS)
        return self
