"""What podman or docker can do on this machine, and which containers of ours are there, by asking them.

A container carries two labels: whose it is and which worker's. It is found by them when the record of its
worker is lost, or when its client was killed, which leaves the container running.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tidegate.domain.loose import Json, mapping, mappings, text
from tidegate.local.worker.template import WorkerTemplate

STATE_LABEL = "tidegate.io/state"  # the identity of the supervisor's folder
WORKER_LABEL = "tidegate.io/worker"  # the pod's uid
_ASK_SECONDS = 30.0  # a daemon that pulls or prunes answers late
_END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """A program that runs containers, and what it can hold a worker to.

    ``cpuset``, ``memory``: whether it may give a container cores of its own, and limit its memory.
    """

    program: str
    kind: Literal["podman", "docker"]
    rootless: bool
    cpuset: bool
    memory: bool


@dataclass(frozen=True, slots=True)
class Container:
    """One of ours. ``uid`` is the pod's; ``pid`` is its first process on this machine, 0 where none runs."""

    id: str
    uid: str
    pid: int


async def find_runtime(name: str) -> Runtime:
    """The runtime of that name. ValueError says, for a person, why it cannot run workers here."""
    program = shutil.which(name)
    if program is None:
        raise ValueError(
            f"{name}: is not on PATH; install it, or leave the annotation tidegate.io/runtime out"
        )
    try:
        said = await _ask(program, "info", "--format", "{{json .}}")
    except OSError as error:
        raise ValueError(str(error)) from None
    try:
        info = mapping(json.loads(said))
    except ValueError:
        raise ValueError(f"{name} info: answers no JSON; only podman and docker are known") from None
    return read_info(program, info)


def read_info(program: str, info: Json) -> Runtime:
    """What ``info`` says of podman or docker; a ``docker`` that is podman under another name is podman."""
    host = mapping(info.get("host"))
    return _podman(program, host) if host else _docker(program, info)


def _podman(program: str, host: Json) -> Runtime:
    """A rootless one has the controllers that systemd has delegated to its user; none with cgroup v1."""
    given = host.get("cgroupControllers")
    controllers = given if isinstance(given, list) else []
    rootless = mapping(host.get("security")).get("rootless") is True
    return Runtime(program, "podman", rootless, "cpuset" in controllers, "memory" in controllers)


def _docker(program: str, info: Json) -> Runtime:
    """Its network of the host must be this machine's, where the gateway is."""
    if errors := info.get("ServerErrors"):
        raise ValueError(f"{program}: {' '.join(map(str, errors)) if isinstance(errors, list) else errors}")
    options = info.get("SecurityOptions")
    rootless = isinstance(options, list) and any("name=rootless" in str(option) for option in options)
    desktop = "Docker Desktop" in text(info.get("OperatingSystem"))
    if rootless or desktop:
        which = "Docker Desktop" if desktop else "rootless Docker"
        raise ValueError(
            f"{program}: {which} has a network of its own, so a worker there cannot be reached at its "
            "address; use podman, or leave the annotation tidegate.io/runtime out"
        )
    return Runtime(program, "docker", False, info.get("CPUSet") is True, info.get("MemoryLimit") is True)


def make_folders(template: WorkerTemplate) -> None:
    """The folders that a container writes, where they are missing: neither runtime mounts what is not there.

    OSError names the folder.
    """
    for mount in template.mounts:
        if mount.kind == "bind" and not mount.read_only:
            Path(mount.source).mkdir(parents=True, exist_ok=True)


async def find(runtime: Runtime, state: str) -> tuple[Container, ...]:
    """The containers of the supervisor whose folder has the identity ``state``, ended ones too.

    OSError where the runtime does not answer.
    """
    ids = await _ids(runtime, f"{STATE_LABEL}={state}")
    if not ids:
        return ()
    # Its exit code is an error where one of them has gone meanwhile; what it says of the others stands.
    said = await _run(runtime.program, "inspect", "--type", "container", *ids)
    try:
        return tuple(_container(document) for document in mappings(json.loads(said.output or "[]")))
    except ValueError:
        raise OSError(f"{_named(runtime.program, ['inspect'])} answers no JSON: {said.complaint}") from None


async def end(runtime: Runtime, state: str, uid: str) -> int:
    """Ends with SIGKILL what is left of one worker, and takes it away; how many containers that were.

    OSError where the runtime does not answer: then something may be left.
    """
    labels = f"{STATE_LABEL}={state}", f"{WORKER_LABEL}={uid}"
    ids = await _ids(runtime, *labels)
    if ids:
        # Its volume is its /tmp. Where one has gone by itself meanwhile, some versions call it a failure.
        said = await _run(runtime.program, "rm", "--force", "--volumes", *ids, seconds=_END_SECONDS)
        if said.code and await _ids(runtime, *labels):
            raise OSError(f"{_named(runtime.program, ['rm'])} failed: {said.complaint}")
    return len(ids)


async def pin(runtime: Runtime, state: str, uid: str, cores: str) -> int:
    """Moves a worker's containers to these cores, given as a list; how many there are.

    OSError where the runtime cannot.
    """
    ids = await _ids(runtime, f"{STATE_LABEL}={state}", f"{WORKER_LABEL}={uid}")
    if ids:
        await _ask(runtime.program, "update", "--cpuset-cpus", cores, *ids)
    return len(ids)


async def _ids(runtime: Runtime, *labels: str) -> list[str]:
    filters = [word for label in labels for word in ("--filter", f"label={label}")]
    return (await _ask(runtime.program, "ps", "--all", "--quiet", "--no-trunc", *filters)).split()


def _container(document: Json) -> Container:
    state, config = mapping(document.get("State")), mapping(document.get("Config"))
    pid: Any = state.get("Pid")
    alive = state.get("Running") is True and isinstance(pid, int)
    return Container(
        id=text(document.get("Id")),
        uid=text(mapping(config.get("Labels")).get(WORKER_LABEL)),
        pid=pid if alive else 0,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    code: int
    output: str
    errors: str

    @property
    def complaint(self) -> str:
        """Its last line of errors, or else its exit code."""
        return self.errors.strip().rpartition("\n")[2] or f"exit code {self.code}"


async def _ask(program: str, *words: str, seconds: float = _ASK_SECONDS) -> str:
    """What it writes to standard output; OSError where it fails or does not answer."""
    said = await _run(program, *words, seconds=seconds)
    if said.code:
        raise OSError(f"{_named(program, words)} failed: {said.complaint}")
    return said.output


async def _run(program: str, *words: str, seconds: float = _ASK_SECONDS) -> _Said:
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *words, stdin=null, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate()
    except TimeoutError:
        raise OSError(f"{_named(program, words)} has not answered for {seconds:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _Said(process.returncode or 0, output.decode(errors="replace"), errors.decode(errors="replace"))


def _named(program: str, words: Sequence[str]) -> str:
    return f"{Path(program).name} {words[0]}"
