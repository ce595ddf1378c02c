"""spec.resources: what one worker gets."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tidegate.api import rules
from tidegate.api.base import Model, Size, WholeCores, each_once, formed, require, with_rules
from tidegate.api.texts import LabelValue
from tidegate.domain.quantity import parse_bytes


class Accelerator(Model):
    """The devices of one worker."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.ACCELERATOR_TYPES, rules.ONE_MIG_DEVICE))

    resource: Annotated[str, formed(rules.ACCELERATOR_PATTERN, rules.ACCELERATOR_NAME)] = Field(
        min_length=3,
        max_length=128,
        description="The extended resource that the device plugin offers: nvidia.com/gpu, amd.com/gpu, "
        "nvidia.com/mig-1g.10gb.",
        json_schema_extra=with_rules(rules.ACCELERATOR_NAME),
    )
    count: int = Field(
        ge=1,
        le=64,
        description="Devices of one worker. With more than one the model is spread over them "
        "(--tensor-parallel-size, the count divided by what --pipeline-parallel-size and "
        "--data-parallel-size in engine.args take). Of a MIG profile it must be 1.",
    )
    types: Annotated[tuple[LabelValue, ...], each_once()] = Field(
        default=(),
        max_length=16,
        description=(
            "Products that will do, as the vendor's node labels call them: NVIDIA-L4, NVIDIA-L40S. They "
            "become node affinity on nvidia.com/gpu.product or amd.com/gpu.product-name. Default: any."
        ),
        json_schema_extra=with_rules(list_type="set"),
    )

    @field_validator("resource")
    @classmethod
    def _a_plugins(cls, resource: str) -> str:
        native = "kubernetes.io/" in resource or resource.startswith("requests.")
        require(not native, rules.ACCELERATOR_NAME)
        return resource

    @model_validator(mode="after")
    def _known_products(self) -> Self:
        known = self.resource.startswith(("nvidia.com/", "amd.com/"))
        require(not self.types or known, rules.ACCELERATOR_TYPES)
        require("/mig-" not in self.resource or self.count == 1, rules.ONE_MIG_DEVICE)
        return self


class Resources(Model):
    """What one worker gets. Requests equal limits, so its pod is in the QoS class Guaranteed."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.SHARED_MEMORY))

    cpu: WholeCores = Field(
        description=(
            "Whole cores of one worker, from 1 to 1024. On a node with the static CPU manager policy they "
            "are exclusively its own."
        )
    )
    memory: Size = Field(description="Memory of one worker, such as 32Gi; sharedMemory is part of it.")
    ephemeral_storage: Size | None = Field(
        default=None,
        description=(
            "Disk of one worker for logs, /tmp and downloaded weights, such as 20Gi. Absent: neither "
            "reserved nor limited."
        ),
    )
    shared_memory: Size | None = Field(
        default=None,
        description=(
            "Size of /dev/shm, such as 2Gi; a part of memory, so it must be less. Absent: what is written "
            "there is bounded by memory alone."
        ),
    )
    accelerator: Accelerator | None = Field(
        default=None, description="The devices of one worker. Absent: it runs on CPU."
    )

    @model_validator(mode="after")
    def _shared_memory_is_a_part(self) -> Self:
        shared = 0 if self.shared_memory is None else parse_bytes(self.shared_memory)
        require(shared < parse_bytes(self.memory), rules.SHARED_MEMORY)
        return self
