"""From a service to a worker of it on this machine: what a pod's container gets, with places of here."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from tidegate.api.config import service_key
from tidegate.api.engine import EnvVar
from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.quantity import parse_bytes
from tidegate.local.worker.engines import Engine, EngineSettings, engine_of
from tidegate.local.worker.models import is_there, model_for_container, model_for_process
from tidegate.local.worker.template import HOST_WORD, PORT_WORD, Mount, WorkerTemplate
from tidegate.resources import cache, engine
from tidegate.resources.draining import PRE_STOP, grace_seconds
from tidegate.resources.model import ModelParts

Secrets = Mapping[str, Mapping[str, str]]  # of the service's namespace: by name, then by key; decoded

ADDRESS = ("--host", HOST_WORD, "--port", PORT_WORD)
PATH = "PYTHONPATH"


def build(service: InferenceService, secrets: Secrets, settings: EngineSettings) -> WorkerTemplate:
    """The worker of this spec. ValueError names a field that cannot be obeyed on this machine."""
    chosen = engine_of(service, settings)
    _check_mounts(service)
    make = _container if chosen.runtime else _process
    made = make(service, chosen, secrets, settings)
    return replace(made, hash=_digest(made))


def _process(
    service: InferenceService, chosen: Engine, secrets: Secrets, settings: EngineSettings
) -> WorkerTemplate:
    """A process of this machine: it listens on an address of its own, and its memory is told to it."""
    model, spec = model_for_process(service, settings), service.spec
    own = {
        **chosen.environment,
        **engine.environment(spec),
        "TIDEGATE_ISOLATION_HOST": HOST_WORD,
        "TIDEGATE_MEMORY_BYTES": str(parse_bytes(spec.resources.memory)),
        **({"TIDEGATE_COMPILE_CACHE": str(settings.compiled_folder)} if spec.cache else {}),
        **model.env,
    }
    words = (*chosen.command, *engine.arguments(service, model, ADDRESS))
    return _template(service, words, _environment(service, model, own, secrets))


def _container(
    service: InferenceService, chosen: Engine, secrets: Secrets, settings: EngineSettings
) -> WorkerTemplate:
    """A container: the same inside as in a pod."""
    model, mounts = model_for_container(service, settings)
    spec = service.spec
    own = {**engine.POD_HOME, **engine.environment(spec), **cache.environment(spec), **model.env}
    compiled = Mount(str(settings.compiled_folder), cache.COMPILED, read_only=False)
    given = [mount.mount_path for mount in spec.pod.volume_mounts]
    return replace(
        _template(
            service,
            tuple(engine.arguments(service, model)),
            _environment(service, model, own, secrets),
        ),
        runtime=chosen.runtime,
        image=chosen.image,
        mounts=(
            *mounts,
            *((compiled,) if spec.cache else ()),
            *(Mount(path, path, read_only=False) for path in given),
        ),
    )


def _template(
    service: InferenceService, command: tuple[str, ...], environment: Mapping[str, str]
) -> WorkerTemplate:
    spec, resources = service.spec, service.spec.resources
    accelerator, exclusive = resources.accelerator, spec.cpu_isolation != "None"
    shared = resources.shared_memory
    return WorkerTemplate(
        key=service_key(service),
        hash="",
        command=command,
        environment=environment,
        resources=engine.container_resources(resources, limit_cpu=exclusive),
        cores=int(resources.cpu),
        memory=parse_bytes(resources.memory),
        shared_memory=None if shared is None else parse_bytes(shared),
        devices=accelerator.count if accelerator else 0,
        device_resource=accelerator.resource if accelerator else "",
        exclusive=exclusive,
        readiness_path=spec.engine.readiness_path,
        startup_deadline=float(spec.engine.startup_deadline_seconds),
        # One gateway in the same process knows of a deletion before SIGTERM is sent: nothing to wait for.
        grace_seconds=float(grace_seconds(spec) - PRE_STOP),
    )


def _environment(
    service: InferenceService, model: ModelParts, own: Mapping[str, str], secrets: Secrets
) -> dict[str, str]:
    """As in a container: every key of the model's Secret, then ours, then the user's variables."""
    from_secrets: dict[str, str] = {}
    for name in model.env_from:
        from_secrets |= _secret(name, "spec.model.secretRef", secrets)
    theirs = {each.name: _value(each, secrets) for each in service.spec.engine.env}
    if PATH in own and PATH in theirs:  # ours is where vLLM lies
        theirs[PATH] = f"{own[PATH]}{os.pathsep}{theirs[PATH]}"
    return {**from_secrets, **own, **theirs}


def _value(variable: EnvVar, secrets: Secrets) -> str:
    if variable.value_from is None:
        return variable.value or ""
    wanted, field = variable.value_from.secret_key_ref, f"spec.engine.env[{variable.name}].valueFrom"
    values = _secret(wanted.name, field, secrets)
    if wanted.key not in values:
        raise ValueError(f"{field}: the Secret {wanted.name} has no key {wanted.key}")
    return values[wanted.key]


def _secret(name: str, field: str, secrets: Secrets) -> Mapping[str, str]:
    if name not in secrets:
        raise ValueError(f"{field}: there is no Secret {name} in this namespace; add one to the manifests")
    return secrets[name]


def _check_mounts(service: InferenceService) -> None:
    """Volumes are a cluster's; a path at which one would be mounted must be there already."""
    for number, mount in enumerate(service.spec.pod.volume_mounts):
        if not is_there(Path(mount.mount_path)):
            raise ValueError(
                f"spec.pod.volumeMounts[{number}].mountPath: {mount.mount_path} is not on this machine, "
                "which has no volumes; make the folder, or take the mount out"
            )


def _digest(template: WorkerTemplate) -> str:
    """Of all that it is made of; as short as a pod template's."""
    text = json.dumps(asdict(template), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
