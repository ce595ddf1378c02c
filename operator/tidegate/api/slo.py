"""spec.slo: what the service should achieve."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from tidegate.api import rules
from tidegate.api.base import Model, formed, require, with_rules
from tidegate.domain.slo import Target


def _above_zero(value: str) -> str:
    require(float(value) > 0, rules.SECONDS)
    return value


Seconds = Annotated[
    str,
    Field(max_length=9, json_schema_extra=with_rules(rules.SECONDS)),
    formed(rules.SECONDS_PATTERN, rules.SECONDS),
    AfterValidator(_above_zero),
]
Ratio = Annotated[
    str,
    Field(max_length=8, json_schema_extra=with_rules(rules.RATIO)),
    formed(rules.RATIO_PATTERN, rules.RATIO),
]


class Slo(Model):
    """Targets; the condition SLOMet says whether they are met. At least one must be set."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(rules.SLO_NOT_EMPTY, rules.SLO_EXEC, rules.SLO_TOTAL)
    )

    exec_p50_seconds: Seconds | None = Field(
        default=None,
        description="Half of the requests take at most so many seconds from dispatch to the last byte.",
    )
    exec_p95_seconds: Seconds | None = Field(
        default=None,
        description="95 % of the requests take at most so many seconds from dispatch to the last byte.",
    )
    delay_p50_seconds: Seconds | None = Field(
        default=None,
        description="Half of the requests wait at most so many seconds for a worker, cold starts included.",
    )
    total_p50_seconds: Seconds | None = Field(
        default=None,
        description="Half of the requests take at most so many seconds from arrival to the last byte.",
    )
    total_p95_seconds: Seconds | None = Field(
        default=None,
        description="95 % of the requests take at most so many seconds from arrival to the last byte.",
    )
    ttft_p95_seconds: Seconds | None = Field(
        default=None,
        description="95 % of the streams send their first byte at most so many seconds after arrival.",
    )
    tokens_per_second: int | None = Field(
        default=None,
        ge=1,
        le=100000,
        description="Half of the streams generate at least so many tokens a second after the first one.",
    )
    success_ratio: Ratio | None = Field(
        default=None,
        description=(
            "The least share of requests that get a worker's whole answer, such as '0.99'; a worker's 5xx, a "
            "full queue and every timeout count against it, a client's own errors and leaving do not."
        ),
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        require(bool(self.targets()), rules.SLO_NOT_EMPTY)
        require(_ordered(self.exec_p50_seconds, self.exec_p95_seconds), rules.SLO_EXEC)
        require(_ordered(self.total_p50_seconds, self.total_p95_seconds), rules.SLO_TOTAL)
        return self

    def targets(self) -> tuple[Target, ...]:
        """What is measured, by the field's name."""
        given = (
            ("execP50Seconds", self.exec_p50_seconds, "execution", 0.5),
            ("execP95Seconds", self.exec_p95_seconds, "execution", 0.95),
            ("delayP50Seconds", self.delay_p50_seconds, "delay", 0.5),
            ("totalP50Seconds", self.total_p50_seconds, "total", 0.5),
            ("totalP95Seconds", self.total_p95_seconds, "total", 0.95),
            ("ttftP95Seconds", self.ttft_p95_seconds, "firstToken", 0.95),
        )
        targets = [
            Target(name, float(text), source, q) for name, text, source, q in given if text is not None
        ]
        if self.tokens_per_second is not None:
            targets.append(Target("tokensPerSecond", float(self.tokens_per_second), "rate", least=True))
        if self.success_ratio is not None:
            targets.append(Target("successRatio", float(self.success_ratio), least=True))
        return tuple(targets)


def _ordered(median: str | None, high: str | None) -> bool:
    return median is None or high is None or float(median) <= float(high)
