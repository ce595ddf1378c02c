"""Where a model of the manifest lies on this machine.

==================  =========================  =======================================================
model.uri           a process reads            a container gets
==================  =========================  =======================================================
file:///P           P, or ROOT/P               the same folder, mounted at P; else what is in its image
pvc://CLAIM/P       ROOT/CLAIM/P               ROOT/CLAIM, mounted at /models/CLAIM
hf://, s3://        the hub, the bucket        the same; the hub's cache is the user's own
oci://              refused                    the image's files, mounted at /models/image
==================  =========================  =======================================================

ROOT stands for the folder that ``tidegate up --root`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tidegate.api.model_source import ModelSource
from tidegate.api.v1alpha1 import InferenceService
from tidegate.local.home import home
from tidegate.local.worker.engines import EngineSettings
from tidegate.local.worker.template import Mount
from tidegate.resources.model import ModelParts, model_parts
from tidegate.resources.names import RUNTIME_ANNOTATION

HUB_CACHE = "HF_HOME"


def model_for_process(service: InferenceService, settings: EngineSettings) -> ModelParts:
    """The model's part of a worker that sees the machine's own folders; ValueError where there is none."""
    model = service.spec.model
    parts = model_parts(model, service.spec.engine.args)
    match _scheme(model):
        case "file":
            place = _existing(Path(parts.path), settings.root) or _below(settings.root, parts.path)
            return replace(parts, path=str(place))
        case "pvc":
            return replace(parts, path=str(settings.root / _rest(model)))
        case "hf":
            return replace(parts, env={})  # the user's own HF_HOME, as with any other program
        case "oci":
            raise ValueError(
                "spec.model.uri: an image's files are only to be had in a container; add the annotation "
                f"{RUNTIME_ANNOTATION}: podman, or copy them into a folder and name it as file://"
            )
    return parts


def model_for_container(
    service: InferenceService, settings: EngineSettings
) -> tuple[ModelParts, tuple[Mount, ...]]:
    """As in a pod, and what must be mounted for that. ValueError where a claim's folder is missing."""
    model = service.spec.model
    parts = model_parts(model, service.spec.engine.args)
    match _scheme(model):
        case "file":
            place = _existing(Path(parts.path), settings.root)
            return parts, (Mount(str(place), parts.path),) if place else ()
        case "pvc":
            return parts, (_claim(_rest(model).partition("/")[0], settings.root),)
        case "hf":
            return parts, (Mount(_hub_cache(settings.environment), parts.env[HUB_CACHE], read_only=False),)
        case "oci":
            return parts, (Mount(_rest(model), parts.path, "image"),)
    return parts, ()


def _scheme(model: ModelSource) -> str:
    return model.uri.partition("://")[0]


def _rest(model: ModelSource) -> str:
    return model.uri.partition("://")[2]


def _existing(path: Path, root: Path) -> Path | None:
    """The path as it stands, or below the root: the first that is there."""
    return next((place for place in (path, _below(root, str(path))) if is_there(place)), None)


def is_there(path: Path) -> bool:
    """Whether it exists, as far as this user may see."""
    try:
        return path.exists()
    except OSError:
        return False


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _claim(name: str, root: Path) -> Mount:
    folder = root / name
    if not folder.is_dir():
        raise ValueError(
            f"spec.model.uri: the claim {name} stands for the folder {folder}, which is not there; make it, "
            "or name another place with --root"
        )
    return Mount(str(folder), f"/models/{name}")


def _hub_cache(environment: Mapping[str, str]) -> str:
    """Where huggingface_hub keeps what it has downloaded, by its own variables."""
    if told := environment.get(HUB_CACHE):
        return told
    general = environment.get("XDG_CACHE_HOME") or str(home("XDG_CACHE_HOME") / ".cache")
    return str(Path(general, "huggingface"))
