"""spec.scaling: how many workers there are."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import rules
from tidegate.api.base import Model, require, with_rules


class Scaling(Model):
    """How many workers there are."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.MIN_MAX))

    mode: Literal["Managed", "External"] = Field(
        default="Managed",
        description="Managed: tidegate wakes, scales and puts to sleep, between minReplicas and maxReplicas. "
        "External: spec.replicas is followed, and only that; it is written by kubectl scale, an "
        "HorizontalPodAutoscaler or KEDA. Default: Managed.",
    )
    min_replicas: int = Field(
        default=0,
        ge=0,
        le=1000,
        description=(
            "Workers that are kept without any request. Zero lets the service sleep, and its next request "
            "wakes it. Read in mode Managed. Default: 0."
        ),
    )
    max_replicas: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Workers at most, at any load. Read in mode Managed. Default: 1.",
    )
    idle_timeout_seconds: int = Field(
        default=180,
        ge=0,
        le=604800,
        description=(
            "Seconds without activity after which the workers are put to sleep (down to minReplicas). The "
            "clock starts at the latest of: the worker became Ready, the last request arrived, the last "
            "request ended; a request that waits or runs keeps the service awake, and a worker that is still "
            "loading is never put to sleep. Zero: sleep as soon as nothing waits or runs. Read in mode "
            "Managed. Default: 180."
        ),
    )
    cold_start_timeout_seconds: int = Field(
        default=300,
        ge=1,
        le=86400,
        description=(
            "Seconds that a request is held while no worker is ready; after that it is answered with 503 and "
            "Retry-After. Default: 300."
        ),
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require(self.min_replicas <= self.max_replicas, rules.MIN_MAX)
        return self
