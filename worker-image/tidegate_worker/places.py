"""Where the engine will write and listen, tried before it is imported: folders and the port."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .arguments import Arguments
from .failure import Failure
from .preparation import TEMPORARY
from .reasons import NO_SPACE, NOT_WRITABLE, PORT_IN_USE, Meaning

# Folders for what is compiled, where somebody has named them, as those of a volume; others are in HOME.
CACHES = ("VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME")
HUB_CACHES = ("HF_HOME", "HF_HUB_CACHE")  # written where the model is one of the hub's
FULL = (errno.ENOSPC, errno.EDQUOT)
PROBE_BYTES = bytes(4096)  # a block: an empty file still fits on a disk that is full
DEFAULT_PORT = 8000


def check_places(arguments: Arguments, environment: Mapping[str, str]) -> Failure | None:
    """A named failure where a folder cannot be written or the port is taken; otherwise None."""
    named = (_unwritable(folder, who) for folder, who in _named_folders(arguments, environment))
    return (
        _no_temporary(environment)
        or next((problem for problem in named if problem), None)
        or _port_in_use(arguments)
    )


def _named_folders(arguments: Arguments, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Each folder, and who names it."""
    hub = not arguments.local_model and not _offline(environment)
    names = [*(() if _eager(arguments) else CACHES), *(HUB_CACHES if hub else ())]
    if environment.get("VLLM_CACHE_ROOT"):
        names = [name for name in names if name != "XDG_CACHE_HOME"]  # it is where the other would be
    yield from ((Path(environment[name]), name) for name in names if environment.get(name))
    if hub and (folder := arguments.value("--download-dir")):
        yield Path(folder), "--download-dir"


def _offline(environment: Mapping[str, str]) -> bool:
    """Whether the hub's cache is only read, as huggingface_hub understands its variable."""
    return environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _eager(arguments: Arguments) -> bool:
    """Whether nothing is compiled, and so nothing of it is kept."""
    return arguments.value("--enforce-eager") is not None and arguments.value("--no-enforce-eager") is None


def _no_temporary(environment: Mapping[str, str]) -> Failure | None:
    """Python takes the first folder that it can write of TMPDIR, /tmp, /var/tmp and some others."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return _unwritable(Path(environment.get("TMPDIR") or TEMPORARY), "for temporary files")
    return None


def _unwritable(folder: Path, who: str) -> Failure | None:
    """Write a block and take it away again: a mount may be read-only or full, whatever its modes say."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            probe.write(PROBE_BYTES)
    except OSError as error:
        meaning = NO_SPACE if error.errno in FULL else NOT_WRITABLE
        said = f"{folder} ({who}) cannot be written by user {os.geteuid()}: {os.strerror(error.errno or 0)}"
        return _failure(meaning, said)
    return None


def _port_in_use(arguments: Arguments) -> Failure | None:
    """Whether somebody listens on the engine's port already; what else may be wrong with it vLLM says."""
    port = arguments.number("--port", default=DEFAULT_PORT)
    if arguments.value("--uds") is not None or port > 65535:
        return None
    host = arguments.value("--host") or ""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(port, host)
    return None


def _taken(port: int, host: str) -> Failure:
    """A pod's worker listens on all addresses; one that was given an address has a machine around it."""
    where = f"at {host} on this machine" if host else "in the pod"
    return _failure(PORT_IN_USE, f"port {port} is taken by another program {where}")


def _failure(meaning: Meaning, message: str) -> Failure:
    return Failure(meaning.reason, message, meaning.advice)
