"""What one worker of a service is made from, before it has a name, an address and cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey

HOST_WORD = "{host}"  # stands for the worker's own address in a word of the command
PORT_WORD = "{port}"


@dataclass(frozen=True, slots=True)
class Mount:
    """What a container sees at ``target``: a folder of this machine, or the files of an image.

    A folder that is not read-only is made where it is missing.
    """

    source: str
    target: str
    kind: Literal["bind", "image"] = "bind"
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class WorkerTemplate:
    """Durations are seconds, sizes bytes. Two equal hashes: the same worker.

    ``command`` and the values of ``environment`` hold HOST_WORD and PORT_WORD where the address goes; the
    latter is added to the supervisor's own. ``resources``: the container's requests and limits, as in a pod.
    ``runtime``: the program that runs ``image`` as a container, such as podman, with ``command`` for the
    image's entrypoint and ``mounts``; empty: the command is a process of this machine.
    """

    key: ServiceKey
    hash: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    resources: Json
    cores: int
    memory: int
    shared_memory: int | None
    devices: int
    device_resource: str  # nvidia.com/gpu; empty where ``devices`` is 0
    exclusive: bool  # its cores are given to nobody else: cpuIsolation is not None
    readiness_path: str
    startup_deadline: float
    grace_seconds: float  # from SIGTERM to SIGKILL
    runtime: str = ""
    image: str = ""
    mounts: tuple[Mount, ...] = ()
