"""spec.placement.affinity: as in a pod, with bounds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import placement_rules as rules
from tidegate.api.base import Model, require, with_rules
from tidegate.api.texts import LabelKey, LabelValue, ObjectName, WordName

ATOMIC = with_rules(list_type="atomic")

Weight = Annotated[int, Field(ge=1, le=100)]


class NodeRequirement(Model):
    """What a label of a node must be."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.SET_VALUES, rules.NO_VALUES, rules.NUMBER))

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="How the label is compared with values."
    )
    values: tuple[LabelValue, ...] | None = Field(
        default=None,
        max_length=32,
        description=(
            "At least one with In and NotIn, one whole number with Gt and Lt, none with Exists and "
            "DoesNotExist."
        ),
        json_schema_extra=ATOMIC,
    )

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        values = self.values or ()
        require(self.operator not in ("In", "NotIn") or bool(values), rules.SET_VALUES)
        require(self.operator not in ("Exists", "DoesNotExist") or not values, rules.NO_VALUES)
        number = len(values) == 1 and values[0].isascii() and values[0].isdigit()
        require(self.operator not in ("Gt", "Lt") or number, rules.NUMBER)
        return self


class NodeField(Model):
    """What a field of a node must be: only its name can be asked for."""

    key: Literal["metadata.name"] = Field(description="The field: metadata.name.")
    operator: Literal["In", "NotIn"] = Field(description="In: this node. NotIn: any but this node.")
    values: tuple[ObjectName, ...] = Field(
        min_length=1, max_length=1, description="The name of one node.", json_schema_extra=ATOMIC
    )


class NodeTerm(Model):
    """Requirements that a node must all fulfil."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.TERM_SAYS_SOMETHING))

    match_expressions: tuple[NodeRequirement, ...] | None = Field(
        default=None,
        max_length=16,
        description="Requirements for the node's labels.",
        json_schema_extra=ATOMIC,
    )
    match_fields: tuple[NodeField, ...] | None = Field(
        default=None, max_length=4, description="Requirements for the node's name.", json_schema_extra=ATOMIC
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        require(bool(self.match_expressions or self.match_fields), rules.TERM_SAYS_SOMETHING)
        return self


class PreferredNode(Model):
    """A preference among nodes."""

    weight: Weight = Field(description="How much it counts, from 1 to 100.")
    preference: NodeTerm = Field(description="The nodes that are preferred.")


class NodeSelector(Model):
    """Terms of which a node must fulfil one."""

    node_selector_terms: tuple[NodeTerm, ...] = Field(
        min_length=1,
        max_length=8,
        description=(
            "Terms of which a node must fulfil at least one; what accelerator.types and cpuIsolation require "
            "is added to each of them."
        ),
        json_schema_extra=ATOMIC,
    )


class NodeAffinity(Model):
    """The nodes that will do, and those that are preferred."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(
        default=None, description="The nodes that will do. Absent: all."
    )
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredNode, ...] | None = Field(
        default=None,
        max_length=8,
        description="The nodes that are preferred. Absent: none.",
        json_schema_extra=ATOMIC,
    )


class LabelRequirement(Model):
    """What a label of an object must be."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.SET_VALUES, rules.NO_VALUES))

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label is compared with values."
    )
    values: tuple[LabelValue, ...] | None = Field(
        default=None,
        max_length=32,
        description="At least one with In and NotIn, none with Exists and DoesNotExist.",
        json_schema_extra=ATOMIC,
    )

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        require(self.operator not in ("In", "NotIn") or bool(self.values), rules.SET_VALUES)
        require(self.operator not in ("Exists", "DoesNotExist") or not self.values, rules.NO_VALUES)
        return self


class LabelSelector(Model):
    """Objects by their labels; an empty one selects all."""

    match_labels: dict[str, LabelValue] | None = Field(
        default=None,
        max_length=16,
        description="Labels that an object must have.",
        json_schema_extra=with_rules(rules.LABEL_KEYS),
    )
    match_expressions: tuple[LabelRequirement, ...] | None = Field(
        default=None,
        max_length=16,
        description="Requirements that an object must all fulfil.",
        json_schema_extra=ATOMIC,
    )

    @model_validator(mode="after")
    def _keys_are_labels(self) -> Self:
        require(rules.are_label_keys(self.match_labels or ()), rules.LABEL_KEYS)
        return self


class PodTerm(Model):
    """Pods near which, or far from which, a worker runs."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.KEYS_NEED_SELECTOR, rules.KEYS_DIFFER))

    label_selector: LabelSelector | None = Field(
        default=None, description="Those pods' labels. Absent: no pod. Empty: every pod."
    )
    topology_key: LabelKey = Field(
        description="The node label whose value is the same where pods are near: kubernetes.io/hostname."
    )
    namespaces: tuple[WordName, ...] | None = Field(
        default=None,
        max_length=16,
        description="Those pods' namespaces. Absent: the service's own, unless namespaceSelector is given.",
        json_schema_extra=ATOMIC,
    )
    namespace_selector: LabelSelector | None = Field(
        default=None, description="Those pods' namespaces by label. Absent: none by label. Empty: every one."
    )
    match_label_keys: tuple[LabelKey, ...] | None = Field(
        default=None,
        max_length=4,
        description="Labels whose values those pods must share with the worker: pod-template-hash.",
        json_schema_extra=ATOMIC,
    )
    mismatch_label_keys: tuple[LabelKey, ...] | None = Field(
        default=None,
        max_length=4,
        description="Labels whose values those pods must not share with the worker.",
        json_schema_extra=ATOMIC,
    )

    @model_validator(mode="after")
    def _keys_are_sound(self) -> Self:
        alike, different = self.match_label_keys or (), self.mismatch_label_keys or ()
        require(self.label_selector is not None or not (alike or different), rules.KEYS_NEED_SELECTOR)
        require(not set(alike) & set(different), rules.KEYS_DIFFER)
        return self


class PreferredPods(Model):
    """A preference for what is near or far."""

    weight: Weight = Field(description="How much it counts, from 1 to 100.")
    pod_affinity_term: PodTerm = Field(description="The pods that are meant.")


class PodAffinity(Model):
    """Pods near which a worker must run or had better run."""

    required_during_scheduling_ignored_during_execution: tuple[PodTerm, ...] | None = Field(
        default=None,
        max_length=4,
        description="Pods near which a worker must run. Absent: none.",
        json_schema_extra=ATOMIC,
    )
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredPods, ...] | None = Field(
        default=None,
        max_length=4,
        description="Pods near which a worker had better run. Absent: none.",
        json_schema_extra=ATOMIC,
    )


class PodAntiAffinity(Model):
    """Pods far from which a worker must run or had better run."""

    required_during_scheduling_ignored_during_execution: tuple[PodTerm, ...] | None = Field(
        default=None,
        max_length=4,
        description="Pods near which a worker must not run. Absent: none.",
        json_schema_extra=ATOMIC,
    )
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredPods, ...] | None = Field(
        default=None,
        max_length=4,
        description="Pods near which a worker had better not run. Absent: none.",
        json_schema_extra=ATOMIC,
    )


class Affinity(Model):
    """Near which nodes and pods workers run, as in a pod."""

    node_affinity: NodeAffinity | None = Field(
        default=None, description="Nodes by their labels, in addition to what nodeSelector says."
    )
    pod_affinity: PodAffinity | None = Field(default=None, description="Pods that should be near.")
    pod_anti_affinity: PodAntiAffinity | None = Field(
        default=None, description="Pods that should be elsewhere."
    )
