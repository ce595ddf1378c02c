"""The engine's arguments and variables that cannot stand beside an engine that sleeps."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.domain.engine_args import pattern_of

_Refused = dict[tuple[str, ...], str]  # flags that say the same -> what the user is told

WHILE_IT_SLEEPS: _Refused = {
    ("--enable-sleep-mode", "--no-enable-sleep-mode"): (
        "cannot be given beside engine.sleep, with which the operator gives --enable-sleep-mode; remove it"
    ),
    ("--kv-transfer-config",): (
        "cannot be given beside engine.sleep: another worker may still want the cache that a sleeping engine "
        "drops; remove one of the two"
    ),
}
# What vLLM's reload_weights does not bring back: adapters and the drafting model are lost with the rest, and
# loaders of a special form cannot load twice.
AT_LEVEL_2: _Refused = {
    ("--enable-lora", "--speculative-config", "-sc", "--spec-method", "--spec-model"): (
        "cannot be given beside engine.sleep.level 2, which drops adapters and drafting models and reads "
        "only the model's own weights again; set level 1"
    ),
    ("--load-format",): (
        "cannot be given beside engine.sleep.level 2, which reads the weights again as they are read by "
        "default; set level 1"
    ),
}
# With it vLLM lets any client put the engine to sleep, beyond the worker's knowledge.
DEVELOPER_VARIABLE = "VLLM_SERVER_DEV_MODE"


def refused_flags(level: int) -> _Refused:
    """Those that an engine refuses which sleeps at that level, with what the user is told."""
    return WHILE_IT_SLEEPS | (AT_LEVEL_2 if level == 2 else {})


def sentence_of(flags: Iterable[str], advice: str) -> str:
    """The sentence for one group of flags."""
    *others, last = flags
    return f"{', '.join(others)} and {last} {advice}" if others else f"{last} {advice}"


def sleep_refusal(args: Iterable[str], level: int) -> str | None:
    """What to tell a user whose arguments cannot stand beside that sleep; None where all can."""
    given = list(args)
    for flags, advice in refused_flags(level).items():
        if any(re.match(pattern_of(flags), argument) for argument in given):
            return sentence_of(flags, advice)
    return None
