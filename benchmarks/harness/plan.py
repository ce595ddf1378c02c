"""How a scenario is run: how often, how long, and in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.processes import Used
from harness.report import Round

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """Rounds of each comparison, and seconds of load in each round."""

    rounds: int
    seconds: float


def interleaved(plan: Plan, subjects: Sequence[T], measure: Callable[[T], Round]) -> list[Round]:
    """Every subject once a round, in turns: a machine that slows down slows all of them."""
    found = []
    for number in range(plan.rounds):
        for subject in subjects:
            found.append({"round": number} | measure(subject))
            print(json.dumps(found[-1]), flush=True)
    return found


def cost(used: Used, count: float) -> Round:
    """CPU µs and thousands of instructions for each of ``count``."""
    instructions = None if used.instructions is None else used.instructions / count / 1e3
    return {"cpu_us": used.cpu / count * 1e6, "kiloinstructions": instructions}
