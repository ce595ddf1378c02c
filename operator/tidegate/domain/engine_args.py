"""The engine's arguments that belong to the operator, and what to do instead of giving them."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Flags that say the same -> what the user is told. The gateway must find the worker where it listens.
OWNED_FLAGS: dict[tuple[str, ...], str] = {
    ("--model",): "set spec.model.uri",
    ("--revision",): "set spec.model.revision",
    ("--served-model-name",): "set spec.model.servedNames",
    ("--max-num-seqs",): "set spec.engine.maxConcurrency",
    ("--tensor-parallel-size", "-tp"): "set spec.resources.accelerator.count",
    ("--config",): "give what is in the file as arguments, one by one",
    ("--host", "--port", "--uds"): "remove it: the gateway reaches a worker at its pod's address, port 8000",
    (
        "--ssl-keyfile",
        "--ssl-certfile",
        "--root-path",
    ): "remove it: the gateway speaks plain HTTP to a worker",
}


def pattern_of(flags: Iterable[str]) -> str:
    """A regular expression (RE2 and Python) for any spelling of the flags: ``--max_num_seqs=4`` is one."""
    spellings = "|".join(flag[:2] + flag[2:].replace("-", "[-_]") for flag in flags)
    return f"^({spellings})(=|$)"


def refusal(argument: str) -> str | None:
    """What to tell a user who gave an argument that the operator sets; None where it is theirs to give."""
    for flags, advice in OWNED_FLAGS.items():
        if re.match(pattern_of(flags), argument):
            return refusal_of(flags, advice)
    return None


def refusal_of(flags: Iterable[str], advice: str) -> str:
    """The sentence for one group of flags."""
    return f"{' and '.join(flags)} cannot be given here, the operator sets it; {advice}"
