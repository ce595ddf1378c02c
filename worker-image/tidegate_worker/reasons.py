"""Which words of an engine's last sentence mean which reason; the first that fits counts."""

from __future__ import annotations

import re

WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "OutOfMemory",
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
        "AcceleratorMissing",
        (
            r"failed to infer device type",
            r"no cuda gpus",
            r"nvidia driver",
            r"libcuda\.so",
            r"torch not compiled with cuda",
            r"cuda (?:is )?not available",
        ),
    ),
    (
        "ModelNotFound",
        (
            r"invalid repository id or local directory",
            r"invalid repo id",
            r"repo id must be",
            r"repository ?not ?found",
            r"localentrynotfound",
            r"gatedrepo",
            r"is not a local folder",
            r"is not a valid model identifier",
            r"cannot find any model weights",
            r"can't load the configuration of",
            r"does not appear to have a file named",
            r"couldn't connect to",
            r"outgoing traffic has been disabled",
        ),
    ),
    (
        "Unsupported",
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
        "BadArgument",
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
            r"must be (?:divisible|greater|less|in)",
        ),
    ),
)
PATTERNS = tuple((reason, re.compile("|".join(words), re.IGNORECASE)) for reason, words in WORDS)


def reason_of(sentence: str) -> str:
    """The reason, EngineFailed where no word is known."""
    return next((reason for reason, pattern in PATTERNS if pattern.search(sentence)), "EngineFailed")
