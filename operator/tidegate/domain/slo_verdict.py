"""The condition SLOMet: stable in its words, careful at the edge, silent where nothing is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidegate.domain.conditions import SLO_MET, Condition
from tidegate.domain.loose import text
from tidegate.domain.reasons import Reason
from tidegate.domain.slo import LEAST_REQUESTS, WINDOW_SECONDS, Figure, Tally, Target, figure_of, rounded
from tidegate.domain.slo_window import SloWindow

REWORD_SECONDS = 300.0  # the figures in a message are that old at least before others take their place
SILENT_SECONDS = 120.0  # without an answer of any gateway; four looks
_MINUTES = f"{WINDOW_SECONDS / 60:g} min"
_MISSED = re.compile(r"([A-Za-z0-9]+) [0-9.e+-]+ [<>] ([0-9.e+-]+)")

# What is said of a service whose requests are too few to tell anything of them.
UNTOLD = Condition(
    SLO_MET,
    "Unknown",
    Reason.TOO_FEW_REQUESTS,
    f"fewer than {LEAST_REQUESTS} requests over the last {_MINUTES}",
)

UNHEARD = Condition(
    SLO_MET, "Unknown", Reason.NO_GATEWAY_HEARD, "no gateway tells what requests it has counted"
)


def judged(
    targets: Sequence[Target], window: SloWindow, previous: Mapping[str, Any], now: float
) -> Condition | None:
    """The condition as the window has it; None: nothing is known yet, what was said before stands."""
    missed_before = {name for name, _ in _missed_in(previous)}
    tally = window.tally(now)
    figures = [figure_of(each, tally, was_missed=each.name in missed_before) for each in targets]
    silent = now - max(window.heard, window.began) > SILENT_SECONDS
    if not silent and any(figure.value is not None for figure in figures):
        return _verdict(figures, tally)
    if previous.get("status") and now - window.began < WINDOW_SECONDS:
        return None
    return UNHEARD if silent else UNTOLD


def _verdict(figures: Iterable[Figure], tally: Tally) -> Condition:
    figures = tuple(figures)
    about = f"over the last {_MINUTES}, about {rounded(tally.good + tally.bad)} requests"
    missed = [figure.text for figure in figures if not figure.met]
    if missed:
        return Condition(SLO_MET, "False", Reason.MISSED, f"{', '.join(missed)} {about}")
    unknown = [figure.target.name for figure in figures if figure.value is None]
    rest = f"; too few requests to tell {', '.join(unknown)}" if unknown else ""
    return Condition(SLO_MET, "True", Reason.MET, f"every target is met {about}{rest}")


def same_verdict(one: Mapping[str, Any] | Condition, other: Condition) -> bool:
    """Whether both say the same but for their figures, which are then not worth a write."""
    old = (
        one
        if isinstance(one, Mapping)
        else {"status": one.status, "reason": one.reason, "message": one.message}
    )
    same = (old.get("status"), old.get("reason")) == (other.status, other.reason)
    return same and _missed_in(old) == _missed_in({"message": other.message})


def _missed_in(condition: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """The names of the figures that a message says are missed, and their targets."""
    return frozenset(_MISSED.findall(text(condition.get("message"))))
