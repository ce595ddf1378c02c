"""spec.pod: what a worker's pod has beside the engine's own needs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import pod_rules as rules
from tidegate.api.base import Model, each_once, require, with_rules
from tidegate.api.placement_rules import LABEL_KEYS, are_label_keys
from tidegate.api.texts import LabelValue, ObjectName
from tidegate.api.volumes import Volume, VolumeMount

GroupId = Annotated[int, Field(ge=0, le=2147483647)]


class LocalReference(Model):
    """An object of this namespace."""

    name: ObjectName = Field(description="Its name.")


class PodSecurity(Model):
    """Under which ids the engine runs. It is never root, gains no privilege and has no capability."""

    run_as_user: int | None = Field(
        default=None,
        ge=1,
        le=2147483647,
        description="The user's id, which is never root's. Default: 1000.",
    )
    run_as_group: GroupId | None = Field(
        default=None,
        description="The id of the user's group; images made for any user id want 0. Default: 1000.",
    )
    fs_group: GroupId | None = Field(
        default=None, description="The id of the group that owns the volumes' files. Default: 1000."
    )
    supplemental_groups: Annotated[tuple[GroupId, ...], each_once()] = Field(
        default=(),
        max_length=16,
        description="Ids of further groups, for shared file systems. Default: none.",
        json_schema_extra=with_rules(list_type="set"),
    )


class Pod(Model):
    """What a worker's pod has beside the engine's own needs."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.MOUNTS_HAVE_VOLUMES))

    service_account_name: ObjectName | None = Field(
        default=None,
        description=(
            "The ServiceAccount of the pods, for image pull secrets or a cloud's workload identity; its "
            "token for the API server is not mounted. Default: default."
        ),
    )
    image_pull_secrets: Annotated[tuple[LocalReference, ...], each_once("name")] = Field(
        default=(),
        max_length=8,
        description="Secrets with a registry's credentials, for the images of the pods. Default: none.",
        json_schema_extra=with_rules(list_type="map", list_map_keys=["name"]),
    )
    security_context: PodSecurity = Field(
        default_factory=PodSecurity, description="Under which ids the engine runs."
    )
    labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="Labels of the pods, beside the operator's own. Default: none.",
        json_schema_extra=with_rules(LABEL_KEYS, rules.LABELS_NOT_OURS),
    )
    annotations: dict[str, Annotated[str, Field(max_length=4096)]] = Field(
        default_factory=dict,
        max_length=32,
        description="Annotations of the pods, beside the operator's own. Default: none.",
        json_schema_extra=with_rules(LABEL_KEYS, rules.ANNOTATIONS_NOT_OURS),
    )
    volumes: Annotated[tuple[Volume, ...], each_once("name")] = Field(
        default=(),
        max_length=16,
        description="Volumes of the pods, beside the operator's own. Default: none.",
        json_schema_extra=with_rules(list_type="map", list_map_keys=["name"]),
    )
    volume_mounts: Annotated[tuple[VolumeMount, ...], each_once("mount_path")] = Field(
        default=(),
        max_length=16,
        description="Where the engine sees the volumes. Default: nowhere.",
        json_schema_extra=with_rules(list_type="map", list_map_keys=["mountPath"]),
    )

    @model_validator(mode="after")
    def _keys_are_the_users(self) -> Self:
        for keys in (self.labels, self.annotations):
            require(are_label_keys(keys), LABEL_KEYS)
        require(not any(map(rules.is_own_label, self.labels)), rules.LABELS_NOT_OURS)
        require(not any(map(rules.is_own_annotation, self.annotations)), rules.ANNOTATIONS_NOT_OURS)
        return self

    @model_validator(mode="after")
    def _mounts_have_volumes(self) -> Self:
        names = {volume.name for volume in self.volumes}
        require(names >= {mount.name for mount in self.volume_mounts}, rules.MOUNTS_HAVE_VOLUMES)
        return self
