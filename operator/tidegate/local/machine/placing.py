"""Whether this machine has room for one worker more, and which cores and devices are its."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tidegate.domain.core_list import Cores
from tidegate.local.machine.core_choice import Topology, choose
from tidegate.local.worker.pod_state import Placement, PodState, WorkerSpec

GPU = "nvidia.com/gpu"
NO_CORES = "0/1 nodes are available: 1 Insufficient cpu."  # a scheduler's sentence


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
    spec: WorkerSpec, machine: Machine, others: Iterable[PodState], *, sharers: bool = False
) -> Room | str:
    """What a worker gets beside those that hold something; else why not, in the scheduler's words.

    Those that share cores are not counted against each other, and one core at least is always left to them.
    ``sharers``: whether there are any beside ``others``.
    """
    held = [(each.spec, each.placement) for each in others if each.placement is not None]
    free = unshared(machine, (has for _, has in held))
    missing = []
    if not _enough_cores(spec, free, sharers or any(not other.exclusive for other, _ in held)):
        missing.append("cpu")
    if spec.memory + sum(other.memory for other, _ in held) > machine.memory:
        missing.append("memory")
    devices = [each for each in _devices(spec, machine) if not any(each in has.devices for _, has in held)]
    if len(devices) < spec.devices:
        missing.append(spec.device_resource)
    if missing:
        wanting = ", ".join(f"1 Insufficient {name}" for name in missing)
        return f"0/1 nodes are available: {wanting}."
    cores = choose(free, spec.cores, machine.topology) if spec.exclusive else ()
    return Room(cores or (), tuple(devices[: spec.devices]))


def _enough_cores(spec: WorkerSpec, free: Cores, sharers: bool) -> bool:
    if spec.exclusive:
        return len(free) - sharers >= spec.cores
    return bool(free)


def unshared(machine: Machine, placements: Iterable[Placement]) -> Cores:
    """The cores that nobody has to itself: who has none of its own runs on all of these."""
    return machine.cores - {core for each in placements for core in each.cores}


def _devices(spec: WorkerSpec, machine: Machine) -> tuple[str, ...]:
    return machine.devices if spec.device_resource == GPU else ()
