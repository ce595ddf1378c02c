"""What one worker of a service is made from, before it has a name, an address and cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey

HOST_WORD = "{host}"  # stands for the worker's own address in a word of the command
PORT_WORD = "{port}"


@dataclass(frozen=True, slots=True)
class WorkerTemplate:
    """Durations are seconds, sizes bytes. Two equal hashes: the same worker.

    ``command`` holds HOST_WORD and PORT_WORD where the address goes. ``environment`` is added to the
    supervisor's own. ``resources``: the container's requests and limits, as in a pod. ``runtime``: the program
    that runs ``image`` as a container, such as podman; empty: the command is a process of this machine.
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
