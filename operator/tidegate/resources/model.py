"""Where the weights come from: arguments, environment and volumes for each kind of model.uri."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.api.model_source import ModelSource
from tidegate.domain.engine_args import names_load_format

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}  # local weights: never ask the hub
MODEL_VOLUME = "model"
_IMAGE_PATH = "/models/image"


@dataclass(frozen=True)
class ModelParts:
    """What a model adds to its worker. ``env_from``, ``pull_secrets``: names of Secrets."""

    path: str  # for --model
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    env_from: list[str] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    pull_secrets: list[str] = field(default_factory=list)


def model_parts(model: ModelSource, engine_args: Sequence[str] = ()) -> ModelParts:
    """The parts for a uri whose form the API server has checked; ValueError for another scheme.

    ``engine_args``: the user's, which decide where they say something.
    """
    scheme, _, rest = model.uri.partition("://")
    secrets = [model.secret_ref.name] if model.secret_ref else []
    match scheme:
        case "hf":
            return _repository(model, rest, secrets)
        case "s3":
            streamed = [] if names_load_format(engine_args) else ["--load-format", "runai_streamer"]
            return ModelParts(path=model.uri.rstrip("/"), args=streamed, env_from=secrets)
        case "pvc":
            return _claim(rest)
        case "oci":
            return _image(rest, secrets)
        case "file":
            return ModelParts(path=rest.rstrip("/"), env=OFFLINE)
        case _:
            raise ValueError(f"spec.model.uri: {scheme}:// is not a scheme that this version serves")


def _repository(model: ModelSource, name: str, secrets: list[str]) -> ModelParts:
    cache = {"HF_HOME": "/tmp/huggingface"}  # noqa: S108  the pod's own volume
    revision = ["--revision", model.revision] if model.revision else []
    return ModelParts(path=name, args=revision, env=cache, env_from=secrets)


def _claim(rest: str) -> ModelParts:
    claim = rest.partition("/")[0]
    return ModelParts(
        path=f"/models/{rest}".rstrip("/"),
        env=OFFLINE,
        mounts=[{"name": MODEL_VOLUME, "mountPath": f"/models/{claim}", "readOnly": True}],
        volumes=[{"name": MODEL_VOLUME, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}],
    )


def _image(reference: str, secrets: list[str]) -> ModelParts:
    """The kubelet pulls it once for a node, as it does the engine's own image."""
    image = {"reference": reference, "pullPolicy": "IfNotPresent"}
    return ModelParts(
        path=_IMAGE_PATH,
        env=OFFLINE,
        mounts=[{"name": MODEL_VOLUME, "mountPath": _IMAGE_PATH, "readOnly": True}],
        volumes=[{"name": MODEL_VOLUME, "image": image}],
        pull_secrets=secrets,
    )
