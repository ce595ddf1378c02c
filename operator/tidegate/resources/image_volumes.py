"""Whether the cluster has image volumes. One that has not drops the field, and says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.domain.causes import Cause
from tidegate.domain.reasons import Reason


def dropped_image_volume(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> Cause | None:
    """Why an object that was applied has not got its image volume; None where it has, or wants none.

    ``desired``: the manifest that was applied; ``observed``: the API server's answer to that apply. Before
    an apply the answer means nothing.
    """
    kept = _image_volumes(observed)
    dropped = {name: image for name, image in _image_volumes(desired).items() if name not in kept}
    if not dropped:
        return None
    reference = next(iter(dropped.values())).get("reference", "")
    return Cause(
        Reason.NO_IMAGE_VOLUMES,
        f"spec.model.uri: the cluster has no image volumes, so oci://{reference} cannot be mounted; they are "
        "on by default from Kubernetes 1.35 on, before that by the feature gate ImageVolume of API server "
        "and kubelets. Until then use hf://, s3:// or pvc://",
    )


def _image_volumes(deployment: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    if "template" not in deployment["spec"]:
        return {}  # another kind of object
    volumes = deployment["spec"]["template"]["spec"].get("volumes") or []
    return {volume["name"]: volume["image"] for volume in volumes if volume.get("image")}
