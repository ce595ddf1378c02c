"""CEL rules of spec.cache."""

from __future__ import annotations

from tidegate.api.base import rule

VOLUME = "cache"
PATH = "/cache"  # in the worker's containers
FETCHED = ("hf://", "s3://")  # the models that are downloaded; the others lie somewhere already

ONE_PLACE = rule(
    "has(self.claim) != (has(self.node) && self.node)",
    "exactly one of claim and node: true must be set",
)

_fetched = " || ".join(f"self.model.uri.startsWith('{scheme}')" for scheme in FETCHED)
LIMIT_NEEDS_DOWNLOAD = rule(
    f"!has(self.cache) || !has(self.cache.sizeLimit) || {_fetched}",
    "cache.sizeLimit bounds downloaded models, which pvc://, oci:// and file:// models are not: they lie in "
    "a claim, in the node's images or in the worker's own; remove it",
    ".cache.sizeLimit",
)

NAMES_ARE_OURS = rule(
    (
        "!has(self.cache) || !has(self.pod) || "
        f"((!has(self.pod.volumes) || self.pod.volumes.all(volume, volume.name != '{VOLUME}')) && "
        "(!has(self.pod.volumeMounts) || self.pod.volumeMounts.all(mount, "
        f"mount.mountPath != '{PATH}' && !mount.mountPath.startsWith('{PATH}/'))))"
    ),
    f"with spec.cache the volume {VOLUME} and the folder {PATH} are the operator's own; choose other ones in "
    "spec.pod",
    ".cache",
)


def is_fetched(uri: str) -> bool:
    """Whether a model of this uri is downloaded."""
    return uri.startswith(FETCHED)


def takes_names(volumes: list[str], mount_paths: list[str]) -> bool:
    """Whether NAMES_ARE_OURS refuses volumes of these names, mounted there."""
    return VOLUME in volumes or any(path == PATH or path.startswith(f"{PATH}/") for path in mount_paths)
