"""On which nodes workers may run."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from tidegate.api import rules
from tidegate.api.base import LabelKey, LabelValue, Model, with_rules


class Toleration(Model):
    """A taint that a worker tolerates, as in a pod."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.TOLERATION))

    key: LabelKey | None = Field(
        default=None, description="The taint's key. Absent: every taint, with operator Exists."
    )
    operator: Literal["Equal", "Exists"] = Field(
        default="Equal",
        description="Equal: key and value are those of the taint. Exists: the key is. Default: Equal.",
        json_schema_extra={"default": None},
    )
    value: LabelValue | None = Field(default=None, description="The taint's value, with operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect. Absent: any."
    )
    toleration_seconds: int | None = Field(
        default=None,
        ge=0,
        le=604800,
        description="Seconds on the node after a NoExecute taint appears. Absent: for ever.",
    )


class Placement(Model):
    """On which nodes workers may run."""

    node_selector: dict[str, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="Labels that a node must have. Default: none.",
        json_schema_extra=with_rules(rules.LABEL_KEYS),
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(),
        max_length=32,
        description="Taints that workers tolerate, as in a pod. Default: none.",
        json_schema_extra=with_rules(list_type="atomic"),
    )
