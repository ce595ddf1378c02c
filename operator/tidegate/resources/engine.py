"""The worker's container: arguments, environment, resources, probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tidegate.api.compute import Resources
from tidegate.api.config import served_names
from tidegate.api.engine import EnvVar
from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.engine_args import device_groups
from tidegate.resources import cache, engine_sleep, pod
from tidegate.resources.draining import drain_seconds, lifecycle
from tidegate.resources.model import ModelParts
from tidegate.resources.names import WORKER_CONTAINER, WORKER_ISOLATION_PORT, WORKER_PORT

_PROBE_PERIOD = 2  # seconds; the gateway probes by itself, so this only has to be decent
_PROBE_TIMEOUT = 2
_TMP = "/tmp"  # noqa: S108 - the pod's own volume

_NO_REPORTS = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}  # no worker phones home
POD_HOME = {"HOME": _TMP}  # the root is read-only and user 1000 has no home
POD_ADDRESS = ("--port", str(WORKER_PORT))

CONFINED: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def engine_container(service: InferenceService, model: ModelParts, image: str) -> dict[str, Any]:
    """The one container of a worker's pod."""
    spec = service.spec
    return {
        "name": WORKER_CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments(service, model),
        "env": _environment(spec, model),
        **_from_secrets(model),
        "ports": [
            {"name": "http", "containerPort": WORKER_PORT, "protocol": "TCP"},
            {"name": "isolation", "containerPort": WORKER_ISOLATION_PORT, "protocol": "TCP"},
        ],
        "resources": container_resources(spec.resources, limit_cpu=spec.cpu_isolation != "None"),
        "volumeMounts": [
            {"name": "tmp", "mountPath": _TMP},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  in the container
            *model.mounts,
            *cache.mounts(service),
            *pod.mounts(spec),
        ],
        "startupProbe": _startup_probe(spec),
        "readinessProbe": {**_probe(spec), "failureThreshold": 3},
        "lifecycle": lifecycle(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": CONFINED,
    }


def arguments(
    service: InferenceService, model: ModelParts, address: Sequence[str] = POD_ADDRESS
) -> list[str]:
    """vLLM's arguments: the operator's own, then the user's. ``address``: those that say where it listens."""
    spec = service.spec
    own = ["--model", model.path, *model.args]
    own += ["--served-model-name", *served_names(service)]
    own += [*address, "--max-num-seqs", str(spec.engine.max_concurrency)]
    return [*own, *_tensor_parallel(spec), *engine_sleep.arguments(spec), *spec.engine.args]


def _tensor_parallel(spec: InferenceServiceSpec) -> list[str]:
    """All devices but what the user's arguments divide: 8 with --pipeline-parallel-size 2 are 2 times 4."""
    accelerator = spec.resources.accelerator
    size = accelerator.count // device_groups(spec.engine.args) if accelerator else 1
    return ["--tensor-parallel-size", str(size)] if size > 1 else []


def container_resources(resources: Resources, *, limit_cpu: bool) -> dict[str, dict[str, str]]:
    """Requests and limits, equal, so that the pod is Guaranteed; without isolation the CPU has no limit."""
    amounts = {"cpu": str(resources.cpu), "memory": str(resources.memory)}
    if resources.ephemeral_storage is not None:
        amounts["ephemeral-storage"] = str(resources.ephemeral_storage)
    if resources.accelerator is not None:
        amounts[resources.accelerator.resource] = str(resources.accelerator.count)
    limits = {name: amount for name, amount in amounts.items() if limit_cpu or name != "cpu"}
    return {"requests": amounts, "limits": limits}


def volumes(resources: Resources) -> list[dict[str, Any]]:
    """The scratch space within the disk of the worker, and shared memory within its memory.

    Without a size the kubelet makes it as large as the memory limit, and it costs what is written to it. A
    container runtime's own has 64 MiB: vLLM with more processes than one asks for 240 and does not start.
    """
    disk: dict[str, Any] = {}
    if resources.ephemeral_storage is not None:
        disk["sizeLimit"] = str(resources.ephemeral_storage)
    memory: dict[str, Any] = {"medium": "Memory"}
    if resources.shared_memory is not None:
        memory["sizeLimit"] = str(resources.shared_memory)
    return [{"name": "tmp", "emptyDir": disk}, {"name": "shm", "emptyDir": memory}]


def _environment(spec: InferenceServiceSpec, model: ModelParts) -> list[dict[str, Any]]:
    """The user's variables replace ours of the same name."""
    own = {**POD_HOME, **environment(spec), **cache.environment(spec), **model.env}
    ours = {name: {"name": name, "value": value} for name, value in own.items()}
    theirs = {variable["name"]: variable for variable in given(spec)}
    return list({**ours, **theirs}.values())


def environment(spec: InferenceServiceSpec) -> dict[str, str]:
    """What every worker of this spec is told, wherever it runs."""
    drain = {"TIDEGATE_DRAIN_SECONDS": str(drain_seconds(spec))}
    return {**_NO_REPORTS, **drain, **engine_sleep.environment(spec)}


def given(spec: InferenceServiceSpec) -> list[dict[str, Any]]:
    """The user's variables."""
    return [_variable(variable) for variable in spec.engine.env]


def _from_secrets(model: ModelParts) -> dict[str, Any]:
    """Every key is a variable; one that env names too has env's value."""
    return {"envFrom": [{"secretRef": {"name": name}} for name in model.env_from]} if model.env_from else {}


def _variable(variable: EnvVar) -> dict[str, Any]:
    if variable.value_from is None:
        return {"name": variable.name, "value": variable.value or ""}
    return {"name": variable.name, "valueFrom": variable.value_from.model_dump(by_alias=True)}


def _probe(spec: InferenceServiceSpec) -> dict[str, Any]:
    get = {"path": spec.engine.readiness_path, "port": WORKER_PORT, "scheme": "HTTP"}
    return {"httpGet": get, "periodSeconds": _PROBE_PERIOD, "timeoutSeconds": _PROBE_TIMEOUT}


def _startup_probe(spec: InferenceServiceSpec) -> dict[str, Any]:
    """900 s at one probe every 2 s: 450 failures."""
    threshold = -(-spec.engine.startup_deadline_seconds // _PROBE_PERIOD)
    return {**_probe(spec), "failureThreshold": threshold}
