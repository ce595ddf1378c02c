"""The command line that runs a worker as a container of podman or docker; pure.

The client stays in the foreground as the worker's first process: it passes SIGTERM on and ends with the
container's exit code, so that a container is looked after as a process is. What is asked of the runtime is
what a pod has: no capability, no new privileges, a root that cannot be written, /tmp on a disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.local.containers.container_runtime import STATE_LABEL, WORKER_LABEL, Runtime
from tidegate.local.worker.template import Mount, WorkerTemplate

# What the client itself obeys stands as NAME=VALUE in its arguments, everything else is given by name. These
# are places of files and sockets, never secrets.
_CLIENTS_OWN = frozenset(
    {"HOME", "PATH", "PWD", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH"}
    | {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"}
    | {"DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST", "CONTAINER_HOST", "CONTAINERS_CONF", "TZ"}
)
_MESSAGE = "/dev/termination-log"
_RENUMBERED = "CUDA_VISIBLE_DEVICES"  # in a container its devices are 0, 1, … whatever they are outside
_NVIDIA = "nvidia.com/gpu"

# Neither program mounts an image that is not there. The words after the image are the client's command,
# which `exec` makes of the shell: its process id stays, and signals reach the client.
_PULL = {
    "podman": 'podman image exists "$0" || podman pull "$0" || exit 125; exec "$@"',
    "docker": 'docker image inspect "$0" >/dev/null 2>&1 || docker pull "$0" || exit 125; exec "$@"',
}


@dataclass(frozen=True, slots=True)
class Place:
    """What one worker was given: its name, loopback address, the cores that it may run on, and devices.

    ``state``: the identity of the supervisor's folder, which with ``uid`` is the mark that a container
    is found by.
    ``message``: the file, which must exist, that the worker leaves its cause in; None: none is kept.
    ``user``: the numbers of user and group.
    """

    state: str
    uid: str
    name: str
    host: str
    cores: tuple[int, ...]
    devices: tuple[str, ...]
    message: Path | None
    user: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Start:
    """A command, and what its process has in its environment beside the supervisor's own."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


def run(runtime: Runtime, template: WorkerTemplate, place: Place) -> Start:
    """How the worker is started. ValueError names a field that this runtime cannot obey.

    The network is the machine's: the worker listens on its own loopback address as a process does, no program
    copies bytes between two networks, and rootless podman needs no firewall for it.
    """
    environment = _environment(template, place)
    argv = (
        *(runtime.program, "run", "--rm", "--name", f"tidegate-{place.name}-{place.uid[:8]}"),
        *("--label", f"{STATE_LABEL}={place.state}", "--label", f"{WORKER_LABEL}={place.uid}"),
        *("--network", "host", "--log-driver", "none"),
        *_confined(runtime, place),
        *_limits(runtime, template, place),
        *_devices(runtime, template, place),
        *(word for mount in template.mounts for word in _mount(mount)),
        *(() if place.message is None else _mount(Mount(str(place.message), _MESSAGE, read_only=False))),
        *(word for name, value in environment.items() for word in ("--env", _variable(name, value))),
        *("--stop-timeout", str(round(template.grace_seconds))),
        *(template.image, *template.command, "--host", place.host),
    )
    given = {name: value for name, value in environment.items() if name not in _CLIENTS_OWN}
    return Start(_with_pulls(runtime, template, argv), given)


def _environment(template: WorkerTemplate, place: Place) -> dict[str, str]:
    """By name, so that two equal templates make equal commands."""
    own = {
        "TIDEGATE_ISOLATION_HOST": place.host,
        "USER": "tidegate",
    }  # getpass fails for a user without a name
    own |= {} if place.message is None else {"TIDEGATE_TERMINATION_MESSAGE": _MESSAGE}
    joined = {**own, **template.environment}
    return {name: joined[name] for name in sorted(joined) if name != _RENUMBERED}


def _variable(name: str, value: str) -> str:
    return f"{name}={value}" if name in _CLIENTS_OWN else name


def _confined(runtime: Runtime, place: Place) -> Iterator[str]:
    """As a pod is. The user is the supervisor's own, so that files in mounted folders belong to somebody.

    Labels of SELinux are left as they are: a folder of models may be others' too, and relabelling it for this
    container would take it from them.
    """
    yield from ("--read-only", "--volume", "/tmp", "--cap-drop", "ALL")  # noqa: S108  in the container
    yield from ("--security-opt", "no-new-privileges", "--security-opt", "label=disable")
    yield from ("--user", "{}:{}".format(*place.user))
    if runtime.kind == "podman" and runtime.rootless:
        yield from ("--userns", "keep-id")  # else the supervisor's user would be the container's root


def _limits(runtime: Runtime, template: WorkerTemplate, place: Place) -> Iterator[str]:
    if place.cores and runtime.cpuset:
        yield from ("--cpuset-cpus", ",".join(map(str, place.cores)))
    if runtime.memory:  # the same number for both: no swap, as in a pod
        yield from ("--memory", str(template.memory), "--memory-swap", str(template.memory))
    # The runtimes' own 64 MiB stop a vLLM of several processes; what is written counts within the memory.
    shared = template.memory if template.shared_memory is None else template.shared_memory
    yield from ("--shm-size", str(shared))


def _devices(runtime: Runtime, template: WorkerTemplate, place: Place) -> Iterator[str]:
    """By the Container Device Interface with podman; docker has it switched on only since 28.2, and
    ``--gpus`` in every version that the NVIDIA Container Toolkit knows."""
    if not template.devices:
        return
    if template.device_resource != _NVIDIA:
        raise ValueError(
            f"spec.resources.accelerator.resource: {template.device_resource} cannot be given to a container "
            f"here, only {_NVIDIA}; leave the annotation tidegate.io/runtime out to run a process"
        )
    if runtime.kind == "docker":  # its parser splits at commas unless quoted
        yield from ("--gpus", f'"device={",".join(place.devices)}"')
        return
    for device in place.devices:
        yield from ("--device", f"{_NVIDIA}={device}")


def _mount(mount: Mount) -> Iterator[str]:
    """``--mount`` fails where the source is not there, while ``--volume`` would make an empty folder of it.

    Its value is a line of CSV.
    """
    parts = [f"type={mount.kind}", f"source={mount.source}", f"target={mount.target}"]
    parts += ["readonly"] if mount.kind == "bind" and mount.read_only else []
    yield from ("--mount", ",".join(map(_field, parts)))


def _field(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if any(sign in text for sign in ',"') else text


def _with_pulls(runtime: Runtime, template: WorkerTemplate, argv: tuple[str, ...]) -> tuple[str, ...]:
    for mount in template.mounts:
        if mount.kind == "image":
            argv = ("/bin/sh", "-c", _PULL[runtime.kind], mount.source, *argv)
    return argv
