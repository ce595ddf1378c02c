"""What vLLM's command line says, and what the worker adds to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30
MIB = 1 << 20
# Resident memory of an API server and an engine core without a model, measured 1.25 GiB (vLLM
# 0.32), and room for bodies, buffers and /dev/shm.
PROGRAM_BYTES = int(1.75 * GIB)
PROCESS_BYTES = GIB * 5 // 8  # of each process more: half of those 1.25 GiB
LEAST_CACHE_BYTES = 256 * MIB
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".gguf")


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line as given; nothing is checked that vLLM checks itself."""

    words: tuple[str, ...]

    def value(self, *names: str) -> str | None:
        """The last value of an option in either spelling (``--a b``, ``--a=b``); None if absent."""
        found = None
        for at, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if name.replace("_", "-") in names:
                following = self.words[at + 1] if at + 1 < len(self.words) else ""
                found = value if equals else following
        return found

    def number(self, *names: str, default: int) -> int:
        """The same as a whole number; the default where it is absent or none (vLLM will complain)."""
        text = self.value(*names) or ""
        return int(text) if text.isdecimal() else default

    @property
    def model(self) -> str:
        return self.value("--model") or ""

    @property
    def local_model(self) -> Path | None:
        """The model's folder or file where it is given as a path."""
        return Path(self.model) if self.model.startswith(("/", "./", "../")) else None

    @property
    def workers(self) -> int:
        """How many processes compute, at least one."""
        tensor = self.number("--tensor-parallel-size", "-tp", default=1)
        pipeline = self.number("--pipeline-parallel-size", "-pp", default=1)
        engines = self.number("--data-parallel-size", "-dp", default=1)
        here = self.number("--data-parallel-size-local", "-dpl", default=engines)
        return max(1, tensor * pipeline * here)


def cache_bytes(arguments: Arguments, memory: int) -> int | None:
    """The size of the key-value cache on CPU; None leaves it to vLLM.

    Three quarters of what the limit leaves beside program and weights; the rest is for activations.
    A 16 GiB limit and 5 GiB of weights: (16 - 1.75 - 6) * ¾ = 6.2 GiB. No more than twice what the
    model can use, because the cache is written once at the start. Each of several workers takes the size
    for itself, and holds its part of the model.
    """
    path = arguments.local_model
    if path is None or not path.is_dir():
        return None
    files = (file for file in path.iterdir() if file.suffix in WEIGHT_SUFFIXES and file.is_file())
    weights = sum(file.stat().st_size for file in files)
    program = PROGRAM_BYTES + (arguments.workers - 1) * PROCESS_BYTES
    left = int((memory - program - 1.2 * weights) * 0.75)
    useful = _most_useful(path, arguments)
    size = min(left, 2 * useful) if useful else left
    return max(LEAST_CACHE_BYTES, size // arguments.workers)


def _most_useful(model: Path, arguments: Arguments) -> int | None:
    """Bytes with which as many sequences as may run fit at full length; None for unusual models."""
    config = json.loads((model / "config.json").read_bytes()) if (model / "config.json").is_file() else {}
    try:
        heads = int(config.get("num_key_value_heads", config["num_attention_heads"]))
        head = int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
        layers, positions = int(config["num_hidden_layers"]), int(config["max_position_embeddings"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    token = 2 * layers * heads * head * 4  # keys and values, at most 4 bytes a number
    positions = arguments.number("--max-model-len", default=positions)
    return token * positions * arguments.number("--max-num-seqs", default=128)


def added(
    arguments: Arguments, cache: int | None, *, compiler: bool, drain_seconds: int, sleeps: bool = False
) -> list[str]:
    """The options that the worker adds; one that is given stays as it is.

    Of several --middleware the last is outermost: the drain refuses before a request could wake the engine.
    """
    wanted = {"--shutdown-timeout": str(drain_seconds)}
    if cache is not None and arguments.value("--gpu-memory-utilization") is None:
        wanted["--kv-cache-memory-bytes"] = str(cache)
    words = [f"{name}={value}" for name, value in wanted.items() if arguments.value(name) is None]
    if not compiler and arguments.value("--enforce-eager", "--no-enforce-eager") is None:
        words.append("--enforce-eager")
    doze = ["--middleware=tidegate_worker.doze.Doze"] if sleeps else []
    return [*words, *doze, "--middleware=tidegate_worker.drain.Drain"]
