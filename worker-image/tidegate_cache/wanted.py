"""Which files of a model an engine needs. The others are not fetched: often they are half of the bytes."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from .remote import RemoteFile

# Weights for other programs, and what is for people.
NEVER = (
    *("*.gguf", "*.onnx", "*.onnx_data", "*.tflite", "*.h5", "*.msgpack", "*.ot", "*.mlmodel", "*.nemo"),
    *("onnx/*", "openvino/*", "coreml/*", "original/*", "metal/*", "runs/*"),
    *("*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp", "*.svg", "*.mp4", "*.pdf", "*.md"),
    *("events.out.tfevents*", "optimizer*", "training_args.bin", "rng_state*", "scheduler.pt"),
)
SAFE = "*.safetensors"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
WHOLE = "consolidated*.safetensors*"  # Mistral's own form and its list; vLLM takes it first where it is there
OTHERS = "*.safetensors*"


def wanted(files: Iterable[RemoteFile], *, every_format: bool = False) -> tuple[RemoteFile, ...]:
    """Those that vLLM reads by its own choice of a format; ``every_format``: the weights of all formats, for
    who names a ``--load-format``."""
    named = [file for file in files if not _hidden(file.path)]
    if every_format:
        return tuple(named)
    kept = [file for file in named if not _matches(file.path, NEVER)]
    safe = {_folder(file) for file in kept if _matches(file.path, (SAFE,))}
    kept = [file for file in kept if _folder(file) not in safe or not _matches(file.path, PICKLED)]
    if any(_in_root(file, WHOLE) and _in_root(file, SAFE) for file in kept):
        kept = [file for file in kept if not _in_root(file, OTHERS) or _in_root(file, WHOLE)]
    return tuple(kept)


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _folder(file: RemoteFile) -> str:
    """Of sentence-transformers' modules each has its own weights, and its own form of them."""
    return file.path.rpartition("/")[0]


def _in_root(file: RemoteFile, pattern: str) -> bool:
    return "/" not in file.path and fnmatchcase(file.path, pattern)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    names = {path.lower(), path.lower().rpartition("/")[2]}
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
