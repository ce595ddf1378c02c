"""Whether this machine has room for one worker more, and which cores and devices are its."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tidegate.domain.core_list import Cores
from tidegate.local.machine.core_choice import Topology, choose
from tidegate.local.machine.no_room import CORES, DEVICES, MEMORY, no_room
from tidegate.local.worker.pod_state import Placement, PodState, WorkerSpec

GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is for workers. ``devices``: as CUDA_VISIBLE_DEVICES names them. ``memory``: bytes."""

    cores: Cores
    memory: int
    devices: tuple[str, ...] = ()
    topology: Topology = field(default_factory=Topology)


@dataclass(frozen=True, slots=True)
class Room:
    """The cores, empty where it shares them, and the devices of one worker."""

    cores: tuple[int, ...]
    devices: tuple[str, ...]


def find_room(
    spec: WorkerSpec,
    machine: Machine,
    others: Iterable[PodState],
    *,
    sharers: bool = False,
    whole: Machine | None = None,
) -> Room | str:
    """What a worker gets beside those that hold something; else why not, and what to do.

    Those that share cores are not counted against each other, and one core at least is always left to them.
    ``sharers``: whether there are any beside ``others``. ``whole``: the machine with what other supervisors
    have given, where ``machine`` is without.
    """
    held = [(each.spec, each.placement) for each in others if each.placement is not None]
    free = unshared(machine, (has for _, has in held))
    missing = []
    if not _enough_cores(spec, free, sharers or any(not other.exclusive for other, _ in held)):
        missing.append(CORES)
    if spec.memory + sum(other.memory for other, _ in held) > machine.memory:
        missing.append(MEMORY)
    devices = [each for each in _devices(spec, machine) if not any(each in has.devices for _, has in held)]
    if len(devices) < spec.devices:
        missing.append(DEVICES)
    if missing:
        return said_of(spec, missing, whole or machine)
    cores = choose(free, spec.cores, machine.topology) if spec.exclusive else ()
    return Room(cores or (), tuple(devices[: spec.devices]))


def said_of(spec: WorkerSpec, missing: list[str], machine: Machine) -> str:
    """Why there is no room: see ``no_room``."""
    devices = len(_devices(spec, machine))
    return no_room(spec, missing, len(machine.cores), machine.memory, devices)


def _enough_cores(spec: WorkerSpec, free: Cores, sharers: bool) -> bool:
    if spec.exclusive:
        return len(free) - sharers >= spec.cores
    return bool(free)


def unshared(machine: Machine, placements: Iterable[Placement]) -> Cores:
    """The cores that nobody has to itself: who has none of its own runs on all of these."""
    return machine.cores - {core for each in placements for core in each.cores}


def _devices(spec: WorkerSpec, machine: Machine) -> tuple[str, ...]:
    return machine.devices if spec.device_resource == GPU else ()
