"""How a scenario is run: how often, how long, and in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.processes import Meter, Used, counted, timed
from harness.report import Round

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """Rounds of each comparison, and seconds of load in each round."""

    rounds: int
    seconds: float


def timed_then_counted(
    plan: Plan, subjects: Sequence[T], measure: Callable[[T, Meter], Round]
) -> list[Round]:
    """All rounds for the time; then one for the instructions, which hardly differ from round to round."""
    rounds = interleaved(plan, subjects, lambda subject: measure(subject, timed))
    return rounds + interleaved(Plan(1, plan.seconds), subjects, lambda subject: measure(subject, counted))


def interleaved(plan: Plan, subjects: Sequence[T], measure: Callable[[T], Round]) -> list[Round]:
    """Every subject once a round, in turns: a machine that slows down slows all of them."""
    found = []
    for number in range(plan.rounds):
        for subject in subjects:
            found.append({"round": number} | measure(subject))
            print(json.dumps(found[-1]), flush=True)
    return found


def cost(what: str, used: Used, count: float) -> Round:
    """CPU µs or thousands of instructions for each of ``count``; those are named apart, as ``WHAT_counted``,
    because counting distorts the time."""
    if used.cpu is not None:
        return {"what": what, "cpu_us": used.cpu / count * 1e6}
    each = {f"kiloinstructions_{mode}": n / count / 1e3 for mode, n in used.instructions.items()}
    total = {"kiloinstructions": sum(each.values())} if each else {}
    return {"what": f"{what}_counted"} | each | total
