"""On which nodes workers may run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import placement_rules as rules
from tidegate.api.affinity import Affinity
from tidegate.api.base import Model, require, with_rules
from tidegate.api.texts import LabelKey, LabelValue, OptionalName


class Toleration(Model):
    """A taint that a worker tolerates, as in a pod."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(rules.TOLERATION, rules.TOLERATION_VALUE, rules.TOLERATION_SECONDS)
    )

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

    @model_validator(mode="after")
    def _sound(self) -> Self:
        exists = self.operator == "Exists"
        require(self.key is not None or exists, rules.TOLERATION)
        require(not exists or not self.value, rules.TOLERATION_VALUE)
        require(self.toleration_seconds is None or self.effect == "NoExecute", rules.TOLERATION_SECONDS)
        return self


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
    affinity: Affinity = Field(
        default_factory=Affinity,
        description=(
            "Node affinity, pod affinity and pod anti-affinity, as in a pod. It is joined with what "
            "accelerator.types and cpuIsolation require: all of it must hold. Default: none."
        ),
    )
    runtime_class_name: OptionalName = Field(
        default="",
        description="The RuntimeClass of the pods, such as nvidia. Default: empty, the cluster's own.",
        json_schema_extra={"default": None},
    )
    priority_class_name: OptionalName = Field(
        default="",
        description="The PriorityClass of the pods. Default: empty, the cluster's default priority.",
        json_schema_extra={"default": None},
    )

    @model_validator(mode="after")
    def _keys_are_labels(self) -> Self:
        require(rules.are_label_keys(self.node_selector), rules.LABEL_KEYS)
        return self
