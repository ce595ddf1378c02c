"""spec.cache: where downloaded models and compiled kernels are kept between workers."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import cache_rules as rules
from tidegate.api.base import Model, Size, require, with_rules
from tidegate.api.texts import ObjectName


class Cache(Model):
    """Where downloaded models and compiled kernels are kept between workers."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.ONE_PLACE))

    claim: ObjectName | None = Field(
        default=None,
        description=(
            "A PersistentVolumeClaim of this namespace. Workers on several nodes need one that is "
            "ReadWriteMany."
        ),
    )
    node: bool = Field(
        default=False,
        description=(
            "True: the folder on each node that the administrator named in the chart's cache.nodePath, in it "
            "one folder for each namespace. Such a pod keeps no level of Pod Security but privileged. "
            "Default: false."
        ),
        json_schema_extra={"default": None},
    )
    size_limit: Size | None = Field(
        default=None,
        description=(
            "The most that downloaded models may take, such as 200Gi: those that no worker uses go, the "
            "least recently used first. For hf:// and s3:// models. Absent: none goes."
        ),
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        require((self.claim is not None) != self.node, rules.ONE_PLACE)
        return self
