"""The engine's arguments that belong to the operator, and those that it must heed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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
        "--grpc",
        "--headless",
    ): "remove it: the gateway speaks plain HTTP to a worker",
}

# Each divides the devices of a worker before the tensors are split over what is left.
_DIVIDING_FLAGS: tuple[tuple[str, ...], ...] = (
    ("--pipeline-parallel-size", "-pp"),
    ("--data-parallel-size", "-dp"),
    ("--prefill-context-parallel-size", "-pcp"),
)
LOAD_FORMAT = ("--load-format",)


def _spellings(flags: Iterable[str]) -> str:
    """Any spelling of the flags: ``--max_num_seqs`` and ``--max-num`` are one of ``--max-num-seqs``.

    The engine's parser completes what begins only one of its options, and which that is changes with
    every version. No option of vLLM is the beginning of one of ours, so a beginning is refused or fails.
    """
    return "|".join(_beginnings(flag) for flag in flags)


def _beginnings(flag: str) -> str:
    """``--ab`` -> ``--a(b)?``: at least one letter after the dashes."""
    dashes = 2 if flag.startswith("--") else 1
    head, *rest = (letter.replace("-", "[-_]") for letter in flag[dashes:])
    nested = ""
    for letter in reversed(rest):
        nested = f"({letter}{nested})?"
    return flag[:dashes] + head + nested


def pattern_of(flags: Iterable[str]) -> str:
    """A regular expression (RE2 and Python) for an argument that is one of the flags, with a value or not.

    ``--model.x`` is vLLM's way to write ``--model`` with a value in JSON.
    """
    return f"^({_spellings(flags)})([=.]|$)"


def refusal(argument: str) -> str | None:
    """What to tell a user who gave an argument that the operator sets; None where it is theirs to give."""
    for flags, advice in OWNED_FLAGS.items():
        if re.match(pattern_of(flags), argument):
            return refusal_of(flags, advice)
    return None


def refusal_of(flags: Iterable[str], advice: str) -> str:
    """The sentence for one group of flags."""
    return f"{' and '.join(flags)} cannot be given here, the operator sets it; {advice}"


def names_load_format(args: Iterable[str]) -> bool:
    """Whether the user has decided how the weights are read."""
    return any(re.match(pattern_of(LOAD_FORMAT), argument) for argument in args)


def dividing_patterns() -> list[str]:
    """For each dividing flag a regular expression that finds it with its value in ``joined`` arguments."""
    return [rf"\n({_spellings(flags)})(=|\n\n)[1-9][0-9]{{0,3}}\n" for flags in _DIVIDING_FLAGS]


def joined(args: Sequence[str]) -> str:
    """One text, each argument between two line feeds of its own."""
    return "\n" + "\n\n".join(args) + "\n"


def device_groups(args: Sequence[str]) -> int:
    """Into how many groups the arguments divide a worker's devices; of a doubled flag the last holds."""
    groups = 1
    for pattern in dividing_patterns():
        found = [match[0] for match in re.finditer(pattern, joined(args))]
        groups *= int(re.split(r"[=\n]+", found[-1].strip("\n"))[-1]) if found else 1
    return groups
