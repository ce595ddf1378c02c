"""What spec.pod adds to a worker's pod, joined with what the operator sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.pod import PodSecurity
from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.volumes import ConfigMapVolume, DataItem, ScratchVolume, SecretVolume, Volume

_OWN_ID = 1000  # user and group of the engine where the spec names none
_FILE_MODE = 0o644  # Kubernetes' own default; named, so that it goes when the volume becomes another kind


def identity(spec: InferenceServiceSpec, pull_secrets: list[str]) -> dict[str, Any]:
    """The pod's account and registry credentials; ``pull_secrets``: those of the model.

    The account is always named: once given, its deprecated twin would keep it for ever.
    """
    given = [reference.name for reference in spec.pod.image_pull_secrets]
    names = list(dict.fromkeys([*given, *pull_secrets]))
    parts: dict[str, Any] = {"serviceAccountName": spec.pod.service_account_name or "default"}
    if names:
        parts["imagePullSecrets"] = [{"name": name} for name in names]
    return parts


def security(given: PodSecurity) -> dict[str, Any]:
    """The pod's securityContext: the user's ids, and never root."""
    parts: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": _or_own(given.run_as_user),
        "runAsGroup": _or_own(given.run_as_group),
        "fsGroup": _or_own(given.fs_group),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if given.supplemental_groups:
        parts["supplementalGroups"] = list(given.supplemental_groups)
    return parts


def volumes(spec: InferenceServiceSpec) -> list[dict[str, Any]]:
    """The user's volumes."""
    return [{"name": volume.name, **_source(volume)} for volume in spec.pod.volumes]


def mounts(spec: InferenceServiceSpec) -> list[dict[str, Any]]:
    """Where the engine sees them."""
    found = []
    for mount in spec.pod.volume_mounts:
        part: dict[str, Any] = {"name": mount.name, "mountPath": mount.mount_path}
        part |= {"readOnly": True} if mount.read_only else {}
        found.append(part | ({"subPath": mount.sub_path} if mount.sub_path else {}))
    return found


def _or_own(number: int | None) -> int:
    return _OWN_ID if number is None else number


def _source(volume: Volume) -> Mapping[str, Any]:
    if claim := volume.persistent_volume_claim:
        read_only = {"readOnly": True} if claim.read_only else {}
        return {"persistentVolumeClaim": {"claimName": claim.claim_name, **read_only}}
    if volume.config_map:
        return {"configMap": {"name": volume.config_map.name, **_files(volume.config_map)}}
    if volume.secret:
        return {"secret": {"secretName": volume.secret.secret_name, **_files(volume.secret)}}
    return {"emptyDir": _scratch(volume.empty_dir or ScratchVolume())}


def _files(given: ConfigMapVolume | SecretVolume) -> dict[str, Any]:
    parts: dict[str, Any] = {"defaultMode": _FILE_MODE}
    if given.items:
        parts["items"] = [_item(item) for item in given.items]
    return parts | ({"optional": True} if given.optional else {})


def _item(item: DataItem) -> dict[str, str]:
    return {"key": item.key, "path": item.path}


def _scratch(given: ScratchVolume) -> dict[str, str]:
    parts = {"medium": given.medium} if given.medium else {}
    return parts | ({} if given.size_limit is None else {"sizeLimit": str(given.size_limit)})
