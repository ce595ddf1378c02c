"""Whether a model's folder is whole, as far as the lengths and heads of its files tell: no weight is read.

Read before vLLM is imported: half a copied model is named within a second, with the file, instead of a minute
later without it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from .arguments import Arguments
from .failure import Failure
from .reasons import BAD_ARGUMENT, BROKEN_MODEL, CORRECT_ARGUMENTS, NO_MODEL, UNREADABLE, Meaning

CONFIGS = ("config.json", "params.json")
INDEX = "model.safetensors.index.json"
WHOLE, WHOLE_INDEX = "consolidated*.safetensors", "consolidated.safetensors.index.json"  # Mistral's own form
HEADER_BYTES = 8  # a safetensors file begins with the length of its header, which is JSON
LONGEST_HEADER = 100_000_000  # bytes; what safetensors itself accepts
POINTER = b"version https://git-lfs"
TOKENIZERS = ("token*", "*.tiktoken", "vocab*", "tekken.json", "merges.txt", "*.model")
FORMATS_WITH_SAFETENSORS = (None, "auto", "safetensors")
LARGEST_JSON = 64 << 20  # bytes of a file that is read to say which one is broken


def check_model(arguments: Arguments) -> Failure | None:
    """A named failure for a local model that is not there or not whole; None for one that may be tried."""
    if not arguments.model:
        missing = "--model is missing: give a folder with a model or a name on the hub"
        return Failure(BAD_ARGUMENT, missing, CORRECT_ARGUMENTS.advice)
    path = arguments.local_model
    try:
        return None if path is None or path.is_file() else _check_folder(path, arguments)
    except FileNotFoundError as error:
        return _failure(BROKEN_MODEL, f"{error.filename} is a link to a file that is not there")
    except OSError as error:
        said = f"{error.filename or path} cannot be read by user {os.geteuid()}: {error.strerror}"
        return _failure(UNREADABLE, said)


def _check_folder(folder: Path, arguments: Arguments) -> Failure | None:
    if not folder.exists():
        return _failure(NO_MODEL, f"{folder} does not exist in the worker; {_nearest(folder)}")
    if not any((folder / name).is_file() for name in CONFIGS):
        return _failure(NO_MODEL, f"{folder} has no config.json, so it is not a model's folder")
    problems = [broken_json(folder / "config.json")]
    if arguments.value("--load-format") in FORMATS_WITH_SAFETENSORS:
        problems += [_broken_weights(folder, arguments.value("--load-format"))]
    if arguments.value("--tokenizer", "--tokenizer-mode", "--skip-tokenizer-init", "--tokens-only") is None:
        problems += [_missing_tokenizer(folder)]
    return next((_failure(BROKEN_MODEL, problem) for problem in problems if problem), None)


def _failure(meaning: Meaning, message: str) -> Failure:
    return Failure(meaning.reason, message, meaning.advice)


def _nearest(path: Path) -> str:
    """What is there instead: the first folder above that exists, and what it holds."""
    folder = next(parent for parent in path.parents if parent.is_dir())
    names = sorted(entry.name for entry in folder.iterdir()) if os.access(folder, os.R_OK) else []
    held = ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "nothing"
    return f"{folder} holds {held}"


def broken_file(folder: Path) -> str | None:
    """What is wrong with a model's files, read after a failure: JSON that is none, weights cut short."""
    texts = [file for file in sorted(folder.glob("*.json")) if file.stat().st_size <= LARGEST_JSON]
    problems = (*(broken_json(file) for file in texts), _broken_weights(folder))
    return next((problem for problem in problems if problem), None)


def broken_json(file: Path) -> str | None:
    """What is wrong with a file that must hold an object in JSON; None also where there is none."""
    if not file.is_file():
        return None
    try:
        whole = isinstance(json.loads(file.read_bytes()), dict)
    except (ValueError, RecursionError) as error:
        return f"{file} is not JSON: {error}"
    return None if whole else f"{file} holds no object"


def _missing_tokenizer(folder: Path) -> str | None:
    """vLLM makes an empty one up, starts, and answers every request with nonsense."""
    if any(True for pattern in TOKENIZERS for _ in folder.glob(pattern)):
        return None
    return f"{folder} has no tokenizer (tokenizer.json, tokenizer.model, vocab.json or the like)"


def _broken_weights(folder: Path, load_format: str | None = None) -> str | None:
    """By the files that vLLM would take: with "auto" Mistral's where there are any, and where there are only
    pickled ones those, which no index describes."""
    auto = load_format in (None, "auto")
    whole = _seen(folder, WHOLE) if auto else []
    files = whole or _seen(folder, "*.safetensors")
    if auto and not files and (_seen(folder, "*.bin") or _seen(folder, "*.pt")):
        return None
    index = folder / (WHOLE_INDEX if whole else INDEX)
    if problem := broken_json(index):
        return problem
    return _lacking(folder, index) if index.is_file() else _first_broken(files)


def _lacking(folder: Path, index: Path) -> str | None:
    names = json.loads(index.read_bytes()).get("weight_map", {})
    if not isinstance(names, dict):
        return f"{index} has a weight_map that is no object"
    files = {folder / str(name) for name in names.values()}
    if missing := sorted(file.name for file in files if not file.exists()):
        some = f"{len(missing)} of the {len(files)} files in {index.name}"
        return f"{folder} lacks {some}, such as {missing[0]}"
    return _first_broken(files)


def _seen(folder: Path, pattern: str) -> list[Path]:
    """The files of a pattern as vLLM's own glob sees them, which passes over hidden ones."""
    return [file for file in folder.glob(pattern) if not file.name.startswith(".")]


def _first_broken(files: Iterable[Path]) -> str | None:
    return next((problem for file in sorted(files) if (problem := broken_safetensors(file))), None)


def broken_safetensors(file: Path) -> str | None:
    """What is wrong with the length of a file of weights, told from its header alone."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(len(POINTER))
        if head == POINTER:
            return f"{file} is a pointer of Git LFS, not the weights: git lfs pull brings them"
        length = int.from_bytes(head[:HEADER_BYTES], "little")
        opened.seek(HEADER_BYTES)
        text = opened.read(length) if HEADER_BYTES + length <= min(size, LONGEST_HEADER) else b""
    if len(head) < HEADER_BYTES or not text:
        return f"{file} has {size} bytes and no whole header, so it was cut short or is no safetensors file"
    try:
        needed = HEADER_BYTES + length + _data_bytes(json.loads(text))
    except (ValueError, TypeError, AttributeError, LookupError):
        return f"{file} has a damaged header"
    return None if size == needed else f"{file} has {size} bytes and should have {needed}"


def _data_bytes(header: dict[str, dict[str, list[int]]]) -> int:
    """Where the last tensor ends, in bytes behind the header."""
    return max(
        (int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"), default=0
    )
