"""spec.pod.volumes and where they are mounted."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tidegate.api import pod_rules as rules
from tidegate.api.base import Model, Size, require, with_rules
from tidegate.api.texts import DataKey, ObjectName, WordName

_PATH = "[A-Za-z0-9._-]+"


class ClaimVolume(Model):
    """A PersistentVolumeClaim of this namespace."""

    claim_name: ObjectName = Field(description="The claim's name.")
    read_only: bool = Field(
        default=False,
        description="True: no container can write to it. Default: false.",
        json_schema_extra={"default": None},
    )


class DataItem(Model):
    """One key as a file."""

    key: DataKey = Field(description="The key.")
    path: str = Field(
        min_length=1,
        max_length=253,
        pattern=f"^{_PATH}(/{_PATH})*$",
        description="The file's path within the volume.",
        json_schema_extra=with_rules(rules.SUB_PATH),
    )

    @field_validator("path")
    @classmethod
    def _within(cls, path: str) -> str:
        require(not rules.leads_out(path), rules.SUB_PATH)
        return path


DataItems = Annotated[
    tuple[DataItem, ...],
    Field(
        max_length=32,
        description="The keys that become files. Default: all, each under its own name.",
        json_schema_extra=with_rules(list_type="atomic"),
    ),
]
MayBeMissing = Annotated[
    bool,
    Field(description="True: pods start without it. Default: false.", json_schema_extra={"default": None}),
]


class ConfigMapVolume(Model):
    """A ConfigMap of this namespace, as files."""

    name: ObjectName = Field(description="The ConfigMap's name.")
    items: DataItems = ()
    optional: MayBeMissing = False


class SecretVolume(Model):
    """A Secret of this namespace, as files."""

    secret_name: ObjectName = Field(description="The Secret's name.")
    items: DataItems = ()
    optional: MayBeMissing = False


class ScratchVolume(Model):
    """Space that lives as long as its pod."""

    medium: Literal["", "Memory"] = Field(
        default="",
        description="Memory: kept in resources.memory. Default: empty, the node's disk.",
        json_schema_extra={"default": None},
    )
    size_limit: Size | None = Field(
        default=None,
        description="The most that may lie there, such as 2Gi. Absent: as much as the worker may use.",
    )


class HostVolume(Model):
    """A folder of the node, which no worker gets."""

    path: str = Field(max_length=512, description="Refused whatever it is.")


class Volume(Model):
    """One volume, and what it is."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(rules.VOLUME_NAME, rules.NO_HOST_PATH, rules.ONE_SOURCE)
    )

    name: WordName = Field(description="The name by which volumeMounts know it.")
    persistent_volume_claim: ClaimVolume | None = Field(
        default=None, description="A PersistentVolumeClaim of this namespace."
    )
    config_map: ConfigMapVolume | None = Field(
        default=None, description="A ConfigMap of this namespace, as files."
    )
    secret: SecretVolume | None = Field(default=None, description="A Secret of this namespace, as files.")
    empty_dir: ScratchVolume | None = Field(default=None, description="Space that lives as long as its pod.")
    host_path: HostVolume | None = Field(
        default=None,
        description="Refused: a worker gets no files of its node. Use a persistentVolumeClaim.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        require(self.name not in rules.OWN_VOLUMES, rules.VOLUME_NAME)
        require(self.host_path is None, rules.NO_HOST_PATH)
        sources = (self.persistent_volume_claim, self.config_map, self.secret, self.empty_dir)
        require(sum(source is not None for source in sources) == 1, rules.ONE_SOURCE)
        return self


class VolumeMount(Model):
    """Where the engine sees a volume."""

    name: WordName = Field(description="The volume's name.")
    mount_path: str = Field(
        min_length=2,
        max_length=253,
        pattern=f"^(/{_PATH})+$",
        description="The folder in the container; not one that the operator or the kernel has.",
        json_schema_extra=with_rules(rules.MOUNT_PATH),
    )
    sub_path: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=f"^{_PATH}(/{_PATH})*$",
        description="The folder or file within the volume. Absent: all of it.",
        json_schema_extra=with_rules(rules.SUB_PATH),
    )
    read_only: bool = Field(
        default=False,
        description="True: the engine cannot write to it. Default: false.",
        json_schema_extra={"default": None},
    )

    @field_validator("mount_path")
    @classmethod
    def _mountable(cls, path: str) -> str:
        require(rules.is_mountable(path), rules.MOUNT_PATH)
        return path

    @field_validator("sub_path")
    @classmethod
    def _within(cls, path: str | None) -> str | None:
        require(path is None or not rules.leads_out(path), rules.SUB_PATH)
        return path
