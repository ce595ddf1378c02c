"""Why a worker gets no room on this machine, and what to do about it."""

from __future__ import annotations

from typing import Final

from tidegate.local.worker.pod_state import WorkerSpec

CORES: Final = "cores"
MEMORY: Final = "memory"
DEVICES: Final = "devices"
_MEBIBYTE: Final = 2**20


def no_room(spec: WorkerSpec, missing: list[str], cores: int, memory: int, devices: int) -> str:
    """Of a worker for which something of ``missing`` is not free. ``cores``, ``memory`` (bytes), ``devices``:
    what this machine has in all. No figure in it depends on what others hold, so that it stays as it is."""
    said = {
        CORES: _no_cores(spec, cores),
        MEMORY: _no_memory(spec, memory),
        DEVICES: _no_devices(spec, devices),
    }
    return "; ".join(said[each] for each in missing)


def _no_cores(spec: WorkerSpec, cores: int) -> str:
    if not spec.exclusive:
        return "every core was given to a worker alone: let another service sleep"
    wants = f"it wants {spec.cores} {'core' if spec.cores == 1 else 'cores'} to itself"
    if spec.cores > cores:
        return f"{wants}, and this machine has {cores}: lower resources.cpu, or set cpuIsolation: None"
    return (
        f"{wants}, and of this machine's {cores} too few are free: let another service sleep, lower "
        "resources.cpu, or set cpuIsolation: None"
    )


def _no_memory(spec: WorkerSpec, memory: int) -> str:
    wants, has = (f"{each // _MEBIBYTE}Mi" for each in (spec.memory, memory))
    if spec.memory > memory:
        return f"it wants {wants} of memory, and this machine has {has}: lower resources.memory"
    return (
        f"it wants {wants} of memory, and other workers hold too much of this machine's {has}: let another "
        "service sleep, or lower resources.memory"
    )


def _no_devices(spec: WorkerSpec, devices: int) -> str:
    wants = f"it wants {spec.devices} {spec.device_resource}"
    if not devices:
        return f"{wants}, and tidegate finds none here: take resources.accelerator out, or check the driver"
    if spec.devices > devices:
        return f"{wants}, and this machine has {devices}: lower resources.accelerator.count"
    return f"{wants}, and of this machine's {devices} too few are free: let another service sleep"
