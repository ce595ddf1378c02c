"""Which words of an engine's last sentence mean which reason, and what to do; the first that fits counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

FAILED = "EngineFailed"
BAD_ARGUMENT = "BadArgument"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One word for a cause, and what a person can do about it, in one sentence."""

    reason: str
    advice: str


CORRECT_ARGUMENTS = Meaning(BAD_ARGUMENT, "Correct engine.args.")
READ_LOG = Meaning(
    FAILED, "Read the worker's log: kubectl logs --previous on its pod, or tidegate logs --previous."
)
KILLED = Meaning("EngineKilled", READ_LOG.advice)
OOM_KILLED = Meaning("OOMKilled", "Raise resources.memory.")
MORE_MEMORY = Meaning("OutOfMemory", "Give it more memory, or a smaller --max-model-len in engine.args.")
NO_ACCELERATOR = Meaning(
    "AcceleratorMissing",
    "Check resources.accelerator, placement.runtimeClassName, and the driver of the pod's node.",
)
NO_MODEL = Meaning(
    "ModelNotFound", "Check model.uri, and whether model.secretRef has the right to the model."
)
NO_RIGHT = Meaning("ModelForbidden", "Check model.secretRef, and whether the model's terms were accepted.")
UNREADABLE = Meaning("ModelForbidden", "Give the worker's user the right to read the model's files.")
NO_DOWNLOAD = Meaning(
    "ModelUnreachable", "Look at the network, the proxy, and the mirror that engine.env names."
)
NOT_CACHED = Meaning("ModelNotFound", "Fill the cache, or take HF_HUB_OFFLINE out of engine.env.")
BROKEN_MODEL = Meaning("InvalidModel", "Copy or download the model's files anew, all of one version.")
UNSUPPORTED = Meaning("Unsupported", "Take another model or another type, or an engine.image that knows it.")
NO_SPACE = Meaning(
    "NoSpaceLeft", "Raise resources.ephemeralStorage, or make room in the volume that is named."
)
NO_SHARED_MEMORY = Meaning("NoSpaceLeft", "Raise resources.sharedMemory.")
NOT_WRITABLE = Meaning(
    "NotWritable", "Give the worker's user the right to write there, or name another folder."
)
PORT_IN_USE = Meaning("PortInUse", "Give the other program another port.")

WORDS: tuple[tuple[Meaning, tuple[str, ...]], ...] = (
    (
        NO_SHARED_MEMORY,
        (r"no space left on device.*(?:/torch_|/psm_|/dev/shm)", r"insufficient space in /dev/shm"),
    ),
    (NO_SPACE, (r"no space left on device", r"disk quota exceeded", r"not enough (?:free )?disk space")),
    (NOT_WRITABLE, (r"read-only file system", r"permission denied", r"no usable temporary directory")),
    (PORT_IN_USE, (r"address already in use",)),
    (
        MORE_MEMORY,
        (
            r"out of memory",
            r"memoryerror",
            r"can't allocate memory",
            r"cannot allocate memory",
            r"less than requested memory",
            r"less than desired .*memory",
            r"no available memory for the cache",
            r"needed.* larger than the available kv cache",
        ),
    ),
    (
        NO_ACCELERATOR,
        (
            r"failed to infer device type",
            r"no cuda gpus",
            r"no cuda-capable device",
            r"invalid device ordinal",
            r"nvidia driver",
            r"cuda driver version",
            r"driver/library version mismatch",
            r"nvml(?:error|_error)",
            r"libcuda\.so",
            r"torch not compiled with cuda",
            r"cuda (?:is )?not available",
        ),
    ),
    (
        NO_RIGHT,
        (r"gated ?repo", r"403 client error", r"access to model .* is restricted", r"invalid user token"),
    ),
    (NOT_CACHED, (r"outgoing traffic has been disabled", r"offline mode is enabled", r"localentrynotfound")),
    (
        NO_MODEL,
        (
            r"invalid repository id or local directory",
            r"invalid repo id",
            r"repo id must be",
            r"(?:repository|revision|entry) ?not ?found",
            r"is not a local folder",
            r"is not a valid (?:model|git) identifier",
            r"cannot find any model weights",
            r"can't load the configuration of",
        ),
    ),
    (
        NO_DOWNLOAD,
        (
            r"couldn't connect to",
            r"^connect(?:ion)? ?error",
            r"(?:connect|read) ?timeout",
            r"name or service not known",
            r"temporary failure in name resolution",
            r"(?:429 client|50\d server) error",
            r"consistency check failed",
        ),
    ),
    (
        BROKEN_MODEL,
        (
            r"safetensorerror",
            r"weight files referenced in index but missing",
            r"error while deserializing header",
            r"is not a valid json file",
            r"jsondecodeerror",
            r"does not appear to have a file named",
            r"tokenizer.* (?:not found|missing|empty)|(?:load|instantiate).*tokenizer",
            r"there is no module or parameter named",
            r"weights were not initialized from checkpoint",
            r"size mismatch|shape mismatch|must match the size of tensor",
            r"attempted to load weight .* into parameter",
            r"validation error for field",
        ),
    ),
    (
        UNSUPPORTED,
        (
            r"not supported",
            r"unsupported",
            r"does not support",
            r"not ?implemented",
            r"does not recognize this architecture",
            r"has no vllm implementation",
        ),
    ),
    (
        CORRECT_ARGUMENTS,
        (
            r"unrecognized arguments",
            r"invalid choice",
            r"invalid .* value",
            r"invalid .*parser",
            r"expected (?:one|at least one) argument",
            r"argument --",
            r"ambiguous option",
            r"validation error",
            r"is greater than the derived",
            r"must be (?:divisible|greater|less|in|\d)",
        ),
    ),
)
PATTERNS = tuple((meaning, re.compile("|".join(words), re.IGNORECASE)) for meaning, words in WORDS)


def meaning_of(sentence: str, otherwise: Meaning = READ_LOG) -> Meaning:
    """What the sentence means; ``otherwise`` where no word of it is known."""
    return next((meaning for meaning, pattern in PATTERNS if pattern.search(sentence)), otherwise)
