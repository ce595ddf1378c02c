"""What this machine has for workers: cores, memory, devices, and how its cores lie."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tidegate.domain.core_list import Cores, parse_cores
from tidegate.local.machine.core_choice import Topology
from tidegate.local.machine.placing import Machine
from tidegate.local.processes.own_cgroup import memory_limit, own_cgroup

DRIVER_SECONDS = 10.0  # nvidia-smi wakes the driver up where nothing else keeps it loaded
_LISTED = re.compile(r"^GPU (\d+):", re.MULTILINE)
_NVIDIA = Path("/proc/driver/nvidia/gpus")
_CPUS = Path("/sys/devices/system/cpu")


async def find_machine(environment: Mapping[str, str]) -> Machine:
    """What this process may use of it."""
    cores = frozenset(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = min(memory, memory_limit(own_cgroup()) or memory)  # less in a container
    return Machine(cores, memory, await find_devices(environment), find_topology(cores))


async def find_devices(environment: Mapping[str, str]) -> tuple[str, ...]:
    """As CUDA_VISIBLE_DEVICES names them where it is set; else all that the driver knows."""
    given = environment.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return visible_devices(given)
    present = _present(_NVIDIA)
    return (await _listed_by_driver(environment) or present) if present else ()


def _present(driver: Path) -> tuple[str, ...]:
    """As many numbers as the driver has devices."""
    with suppress(OSError):
        return tuple(str(number) for number, _ in enumerate(driver.iterdir()))
    return ()


def visible_devices(text: str) -> tuple[str, ...]:
    """``0,2`` or ``GPU-…,GPU-…``; as for CUDA itself what follows one that does not exist does not count."""
    found: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if not name or name.startswith("-") or name in found:
            break
        found.append(name)
    return tuple(found)


async def _listed_by_driver(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The numbers that ``nvidia-smi -L`` names; none where it is not there or does not answer."""
    try:
        process = await asyncio.create_subprocess_exec(
            "nvidia-smi",
            "-L",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        return ()
    try:
        async with asyncio.timeout(DRIVER_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        return ()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return tuple(_LISTED.findall(output.decode(errors="replace")))


def find_topology(cores: Cores, root: Path = _CPUS) -> Topology:
    """Which threads share a physical core, and which NUMA node each is on, as the kernel tells it."""
    nodes: dict[int, int] = {}
    physical: dict[int, int] = {}
    for core in cores:
        folder = root / f"cpu{core}"
        with suppress(OSError, ValueError):
            siblings = parse_cores((folder / "topology/thread_siblings_list").read_text())
            physical[core] = min(siblings, default=core)
        with suppress(OSError, ValueError):
            nodes[core] = min(int(entry.name[4:]) for entry in folder.glob("node[0-9]*"))
    return Topology(nodes, physical)
