"""Causes for which a worker does not run, each as a start that meets it, and the reason that must be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.vllm import broken_models as broken

EAGER = "--enforce-eager"
NO_FOLDER = "/proc/nothing/cache"  # nobody can make a folder there, not even root


def unchanged(_folder: Path) -> None:
    """The model as it is."""


@dataclass(frozen=True)
class Case:
    """``said``: words that the line must have; ``in_ci``: also without a campaign; ``root``: needs it."""

    reason: str
    said: str
    words: tuple[str, ...] = ()
    damage: Callable[[Path], None] = unchanged
    environment: dict[str, str] = field(default_factory=dict)
    model: str = ""  # another one than a copy of the tiny chat model
    in_ci: bool = False
    cores: int = 1
    shared_memory: str = ""  # a size for /dev/shm
    hub: str = ""  # how a hub of the test's own answers


def config(**changes: Any) -> Callable[[Path], None]:
    """Damage: other values in config.json."""
    return partial(broken.change_config, **changes)


CASES: dict[str, Case] = {
    "model folder missing": Case(
        "ModelNotFound", "does not exist in the worker", damage=broken.no_folder, in_ci=True
    ),
    "config.json broken": Case(
        "InvalidModel", "config.json is not JSON", damage=broken.cut_config, in_ci=True
    ),
    "config.json with a wrong value": Case("InvalidModel", "hidden_size", damage=config(hidden_size="many")),
    "weights truncated": Case("InvalidModel", "and should have", damage=broken.cut_weights, in_ci=True),
    "weights a Git LFS pointer": Case(
        "InvalidModel", "git lfs pull", damage=broken.git_lfs_pointer, in_ci=True
    ),
    "a shard missing": Case("InvalidModel", "model-00002-of-00002", damage=broken.lost_shard, in_ci=True),
    "no weights": Case("ModelNotFound", "Cannot find any model weights", (EAGER,), broken.no_weights),
    "weights of another width": Case(
        "InvalidModel", "must match the size", (EAGER,), config(hidden_size=256)
    ),
    "weights of another depth": Case(
        "InvalidModel", "not initialized", (EAGER,), config(num_hidden_layers=4)
    ),
    "weights of another vocabulary": Case(
        "InvalidModel", "org_vocab_size", (EAGER,), config(vocab_size=5000)
    ),
    "tokenizer missing": Case("InvalidModel", "has no tokenizer", damage=broken.no_tokenizer, in_ci=True),
    "tokenizer broken": Case("InvalidModel", "tokenizer.json is not JSON", (EAGER,), broken.cut_tokenizer),
    "architecture unknown": Case(
        "Unsupported",
        "['NobodysForCausalLM'] are not supported",
        damage=config(architectures=["NobodysForCausalLM"]),
        in_ci=True,
    ),
    "model type unknown": Case("Unsupported", "model type `nobody`", damage=config(model_type="nobody")),
    "flag unknown": Case(
        "BadArgument", "unrecognized arguments: --max-num-seqss", ("--max-num-seqss", "8"), in_ci=True
    ),
    "flag abbreviated": Case("BadArgument", "unrecognized arguments: --max-num-se", ("--max-num-se", "8")),
    "flag with a bad number": Case("BadArgument", "invalid int value: 'many'", ("--max-num-seqs", "many")),
    "flag with a bad choice": Case("BadArgument", "invalid choice: 'float33'", ("--dtype", "float33")),
    "flag without its value": Case("BadArgument", "expected one argument", ("--max-model-len",)),
    "flag with broken JSON": Case(
        "BadArgument", "--override-generation-config", ("--override-generation-config", "{")
    ),
    "flag out of range": Case("BadArgument", "greater than or equal to 1", ("--max-num-seqs", "-3")),
    "flags that contradict": Case(
        "BadArgument",
        "smaller than max_model_len",
        ("--max-model-len", "2048", "--max-num-batched-tokens", "16", "--no-enable-chunked-prefill"),
    ),
    "tool parser unknown": Case(
        "BadArgument",
        "invalid tool call parser: nobody",
        ("--enable-auto-tool-choice", "--tool-call-parser", "nobody"),
    ),
    "longer than the model": Case(
        "BadArgument", "is greater than the derived", ("--max-model-len", "100000")
    ),
    "longer than the cache": Case(
        "OutOfMemory", "KV cache is needed", (EAGER, "--kv-cache-memory-bytes", "1M")
    ),
    "no memory for the cache": Case(
        "OutOfMemory", "less than requested memory", (EAGER, "--kv-cache-memory-bytes", "1000G"), in_ci=True
    ),
    "compile cache not writable": Case(
        "NotWritable",
        f"{NO_FOLDER} (VLLM_CACHE_ROOT)",
        ("--no-enforce-eager",),
        environment={"VLLM_CACHE_ROOT": NO_FOLDER},
        in_ci=True,
    ),
    "hub's cache not writable": Case(
        "NotWritable",
        f"{NO_FOLDER} (HF_HOME)",
        environment={"HF_HOME": NO_FOLDER},
        model="nobody/nothing",
        in_ci=True,
    ),
    "shared memory too small": Case(
        "NoSpaceLeft",
        "Raise resources.sharedMemory",
        (EAGER, "--tensor-parallel-size", "2"),
        cores=2,
        shared_memory="4m",
    ),
    "hub offline": Case("ModelNotFound", "", environment={"HF_HUB_OFFLINE": "1"}, model="nobody/nothing"),
    "hub unreachable": Case(
        "ModelUnreachable", "", environment={"HF_ENDPOINT": "http://127.0.0.1:9"}, model="nobody/nothing"
    ),
    "hub: no such model": Case("ModelNotFound", "", model="nobody/nothing", hub="RepoNotFound"),
    "hub: no such revision": Case(
        "ModelNotFound", "", ("--revision", "v9"), model="nobody/nothing", hub="RevisionNotFound"
    ),
    "hub: gated": Case("ModelForbidden", "", model="nobody/nothing", hub="GatedRepo"),
    "hub: out of order": Case("ModelUnreachable", "", model="nobody/nothing", hub="503"),
}
