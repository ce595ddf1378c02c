"""What of an InferenceService means something on one machine without a cluster, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from tidegate.domain.loose import Json, mapping, text
from tidegate.resources.names import RUNTIME_ANNOTATION


class Effect(Enum):
    """What becomes of a field; the value is the word in the table."""

    OBEYED = "as on a cluster"
    OTHERWISE = "otherwise"
    NONE = "no effect"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Field:
    """``path`` within spec; what stands below it is meant too. ``text``: how, or why not; of a field without
    effect it is what its user is told. ``runtime``: the field has its effect in a container."""

    path: str
    effect: Effect
    text: str
    runtime: bool = False


FIELDS: Final[tuple[Field, ...]] = (
    Field(
        "model.uri",
        Effect.OTHERWISE,
        "file:///PATH is a folder of this machine, or one below --root; pvc://CLAIM/PATH is the folder "
        "CLAIM/PATH below --root; hf:// and s3:// are read by the engine itself, with this user's settings",
    ),
    Field(
        "model.uri: oci://",
        Effect.REFUSED,
        "unless the annotation tidegate.io/runtime asks for a container: a process cannot mount an image",
    ),
    Field("model.revision, model.servedNames", Effect.OBEYED, ""),
    Field("model.secretRef", Effect.OBEYED, "the Secret is a document among the manifests"),
    Field(
        "engine.image",
        Effect.NONE,
        "the engine is this machine's own, unless the annotation tidegate.io/runtime asks for a container",
        runtime=True,
    ),
    Field(
        "engine.args, engine.maxConcurrency, engine.readinessPath, engine.startupDeadlineSeconds, "
        "engine.sleep",
        Effect.OBEYED,
        "",
    ),
    Field(
        "engine.env",
        Effect.OTHERWISE,
        "these are tidegate's own in a process, whatever the manifest says: CUDA_VISIBLE_DEVICES, "
        "SPT_NOENV, TIDEGATE_WORKER, TIDEGATE_TERMINATION_MESSAGE, TIDEGATE_ISOLATION_HOST, "
        "TIDEGATE_ISOLATION_PORT, TIDEGATE_OWN_CGROUP",
    ),
    Field(
        "resources.cpu",
        Effect.OTHERWISE,
        "with cpuIsolation so many cores are given to one worker alone, by a cpuset where this user may make "
        "one, else by affinity; a worker for which none are left waits, as Unschedulable",
    ),
    Field(
        "resources.memory",
        Effect.OTHERWISE,
        "the engine's caches are sized by it; the kernel holds a worker to it only where this user may make "
        "cgroups",
    ),
    Field("resources.sharedMemory", Effect.NONE, "workers share this machine's /dev/shm", runtime=True),
    Field("resources.ephemeralStorage", Effect.NONE, "the disk of a worker is not limited here"),
    Field(
        "resources.accelerator.resource, resources.accelerator.count",
        Effect.OTHERWISE,
        "devices of NVIDIA are given by CUDA_VISIBLE_DEVICES, each to one worker; a worker for which none "
        "are left waits, as Unschedulable",
    ),
    Field("resources.accelerator.types", Effect.NONE, "whatever devices this machine has are used"),
    Field(
        "cpuIsolation",
        Effect.OTHERWISE,
        "Required and Preferred mean the same, since there is no other node to go to; CPUIsolated says what "
        "was given, and by what",
    ),
    Field("placement", Effect.NONE, "there is one machine"),
    Field("pod.volumes", Effect.NONE, "there are no volumes here"),
    Field(
        "pod.volumeMounts",
        Effect.OTHERWISE,
        "each mountPath must exist on this machine already; it is used as it is",
    ),
    Field("pod.serviceAccountName", Effect.NONE, "workers run as the user that runs tidegate"),
    Field("pod.securityContext", Effect.NONE, "workers run as the user that runs tidegate"),
    Field("pod.imagePullSecrets", Effect.NONE, "a runtime has its own credentials: log in with it"),
    Field("pod.labels", Effect.NONE, "nobody selects workers here"),
    Field("pod.annotations", Effect.NONE, "nobody reads them here"),
    Field(
        "cache.claim, cache.node",
        Effect.OTHERWISE,
        "both mean this user's cache folder (XDG_CACHE_HOME, else ~/.cache): compiled kernels are kept in "
        "tidegate/compile there, and downloads where the engine keeps them for this user (HF_HOME)",
    ),
    Field("cache.sizeLimit", Effect.NONE, "downloads are kept until somebody deletes them"),
    Field("rollout: Replace", Effect.OBEYED, ""),
    Field(
        "rollout: Surge",
        Effect.OTHERWISE,
        "the new worker starts first where cores and devices are free for it; else an old one ends first",
    ),
    Field("suspend", Effect.OBEYED, ""),
    Field("replicas", Effect.OBEYED, "in scaling.mode External: who scales changes the number in the file"),
    Field("scaling", Effect.OBEYED, ""),
    Field("queue, routing, degradation, slo, pricing", Effect.OBEYED, ""),
)
"""In the order of the reference page."""


def field_warnings(document: Json) -> list[str]:
    """A sentence for each field that somebody set and that does nothing here."""
    spec = mapping(document.get("spec"))
    annotations = mapping(mapping(document.get("metadata")).get("annotations"))
    container = bool(text(annotations.get(RUNTIME_ANNOTATION)))
    idle = [each for each in FIELDS if each.effect is Effect.NONE and not (each.runtime and container)]
    return [
        f"spec.{path}: has no effect here: {each.text}" for each in idle for path in _set(spec, each.path)
    ]


def _set(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    """The path, where something stands there; an empty object or text is nothing."""
    value: object = spec
    for name in path.split("."):
        value = mapping(value).get(name)
    if value not in (None, "", {}, [], False):
        yield path


def fields_page() -> str:
    """docs/local-fields.md."""
    return _HEAD + "\n".join(["| field of spec | here | |", "|---|---|---|", *map(_row, FIELDS)]) + "\n"


def _row(each: Field) -> str:
    names = ", ".join(f"`{name}`" for name in each.path.split(", "))
    return f"| {names} | {each.effect.value} | {each.text} |"


_HEAD: Final = """<!-- Generated from `tidegate.local.manifests.fields`; `make manifests` writes it. -->
# What of the manifest applies

`tidegate up` reads the same InferenceService as a cluster. Whatever a schema or the webhook refuses is
refused here with the same words, and so is a field that does not exist. What has no effect on one machine is
no error: the same file serves both. `tidegate describe` names each such field that is set.

Other kinds than InferenceService and Secret are refused: nothing here would make anything of them. What an
API server adds to an object (`kubectl get -o yaml`) is left out when the file is read. A file that is changed
holds a second later; one that is broken changes nothing, and the log says once what is wrong with it. A
service whose file is gone is deleted: its workers finish what they run.

"""
