"""Where the weights come from: arguments, environment and volumes for each kind of model.uri."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tidegate.api.model_source import ModelSource

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}  # local weights: never ask the hub
_VOLUME = "model"


@dataclass(frozen=True)
class ModelParts:
    """What a model adds to its worker."""

    path: str  # for --model
    env: dict[str, str] = field(default_factory=dict)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)


def model_parts(model: ModelSource) -> ModelParts:
    """The parts for a uri whose form the API server has checked; ValueError for another scheme."""
    scheme, _, rest = model.uri.partition("://")
    match scheme:
        case "hf":
            return ModelParts(path=rest, env={"HF_HOME": "/tmp/huggingface"})  # noqa: S108  the pod's own volume
        case "pvc":
            return _claim(rest)
        case "file":
            return ModelParts(path=rest.rstrip("/"), env=_OFFLINE)
        case _:
            raise ValueError(f"spec.model.uri: {scheme}:// is not a scheme that this version serves")


def _claim(rest: str) -> ModelParts:
    claim = rest.partition("/")[0]
    return ModelParts(
        path=f"/models/{rest}".rstrip("/"),
        env=_OFFLINE,
        mounts=[{"name": _VOLUME, "mountPath": f"/models/{claim}", "readOnly": True}],
        volumes=[{"name": _VOLUME, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}],
    )
