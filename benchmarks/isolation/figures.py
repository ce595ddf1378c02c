"""Figures of all rounds: percentiles, medians over rounds, and what the goals speak of. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.report import Goal, Measure
from isolation.cases import (
    BURSTABLE,
    CAPTCHA,
    MANY,
    STATIC,
    STATIC_FIT,
    STATIC_HOST,
    WORKERS,
    WORKLOADS,
    Noise,
    Workload,
)

Round = Mapping[str, Any]
Key = tuple[Workload, int, str, str]  # workload, case, placement, noise
COLUMNS = (
    "total",
    "ttft",
    "gap_p50",
    "gap_p95",
    "gap_p99",
    "throttled_periods",
    "throttled_seconds",
    "run_queue_seconds",
    "others_seconds",
    "load",
)
OURS = "isolation"
PINNED = (STATIC, STATIC_HOST, STATIC_FIT)
GAPS, TOTAL, RATIO = 1.25, 1.1, 7.0
REPORT_NOISE = Noise(CAPTCHA, MANY).name


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The smallest value that at least so many per cent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(per_cent / 100 * len(ordered)) - 1)]


def by_key(rounds: Iterable[Round]) -> dict[Key, list[Round]]:
    """The rounds of each case, in the order in which they first came."""
    found: dict[Key, list[Round]] = {}
    for one in rounds:
        found.setdefault((one["what"], one["case"], one["proxy"], one["noise"]), []).append(one)
    return found


def merged(earlier: Iterable[Round], new: Iterable[Round]) -> list[dict[str, Any]]:
    """The new rounds, and the earlier ones of what was not measured anew, by workload and case.

    Rounds with numbers of their own (next_round) are added to the earlier ones instead.
    """
    before, found = by_key(earlier), by_key(new)
    for key, rounds in before.items():
        numbers = {one["round"] for one in found.get(key, [])}
        fresh = numbers and min(numbers) > max(one["round"] for one in rounds)
        found[key] = [*rounds, *found[key]] if fresh else found.get(key, rounds)
    ordered = sorted(found, key=lambda key: (WORKLOADS.index(key[0]), key[1], WORKERS.index(key[2])))
    return [dict(one) for key in ordered for one in found[key]]


def next_round(workload: Workload, earlier: Iterable[Round]) -> int:
    """The number of the round after the last one of this workload."""
    return max((one["round"] + 1 for one in earlier if one["what"] == workload), default=0)


def medians(rounds: Sequence[Round]) -> dict[str, float]:
    """The median over rounds of each column that they have."""
    return {
        column: statistics.median(one[column] for one in rounds)
        for column in COLUMNS
        if all(column in one for one in rounds)
    }


def ratios(rounds: Sequence[Round], column: str, of: tuple[str, str], over: tuple[str, str]) -> list[float]:
    """Each round's quotient of two (placement, noise); rounds that lack one of them are left out."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for one in rounds:
        if column in one:
            found.setdefault((one["proxy"], one["noise"]), {})[one["round"]] = one[column]
    above, below = found.get(of, {}), found.get(over, {})
    return [above[number] / below[number] for number in above if below.get(number)]


def worst_ratio(rounds: Sequence[Round], column: str, placement: str) -> tuple[str, float] | None:
    """The noise that this placement feels most, and the median over rounds of noisy over alone."""
    noises = dict.fromkeys(
        one["noise"] for one in rounds if one["noise"] != "none" and one["proxy"] == placement
    )
    found = {
        noise: statistics.median(each)
        for noise in noises
        if (each := ratios(rounds, column, (placement, noise), (placement, "none")))
    }
    return max(found.items(), key=lambda item: item[1]) if found else None


def measures(rounds: Sequence[Round]) -> list[Measure]:
    """The goals, as far as these rounds can tell."""
    found: list[Measure] = []
    for workload in dict.fromkeys(one["what"] for one in rounds):
        own = [one for one in rounds if one["what"] == workload]
        placement = STATIC_FIT if workload == "unary" else STATIC
        for column, text, limit in (("gap_p99", "p99 gap", GAPS), ("total", "seconds a request", TOTAL)):
            worst = worst_ratio(own, column, placement)
            if worst is not None:
                about = f"{workload}, cores of its own: {text} beside the worst noise ({worst[0]}) over alone"
                found.append(
                    Measure(f"{workload}_{column}", about, "ratio", {OURS: worst[1]}, Goal(limit, of=OURS))
                )
    return [*found, *_throttled(rounds), *_report(rounds)]


def _throttled(rounds: Sequence[Round]) -> list[Measure]:
    pinned = [one["throttled_periods"] for one in rounds if one["proxy"] in PINNED]
    text = "cores of their own: throttled periods, all rounds"
    return (
        [Measure("throttled", text, "periods", {OURS: float(sum(pinned))}, Goal(0, of=OURS))]
        if pinned
        else []
    )


def _report(rounds: Sequence[Round]) -> list[Measure]:
    """The report's slow case over its cure."""
    unary = [one for one in rounds if one["what"] == "unary"]
    found = ratios(unary, "total", (BURSTABLE, REPORT_NOISE), (STATIC_FIT, REPORT_NOISE))
    if not found:
        return []
    text = f"unary beside {REPORT_NOISE}: Burstable over static"
    value = {OURS: statistics.median(found)}
    return [Measure("slow_over_cure", text, "ratio", value, Goal(RATIO, of=OURS), "max")]


def table(rounds: Sequence[Round]) -> list[list[str]]:
    """A row for each case, medians over its rounds."""
    head = ["workload", "case", "worker", "noise", "s a request", "range", "TTFT ms", "gaps p50/p95/p99 ms"]
    head += ["throttled", "for s", "run queue s", "others s", "load", "rounds"]
    return [head, *(_row(key, found) for key, found in by_key(rounds).items())]


def _row(key: Key, rounds: Sequence[Round]) -> list[str]:
    workload, case, placement, noise = key
    middle = medians(rounds)
    totals = [total for one in rounds for total in one["totals"]]
    gaps = [f"{1000 * middle[f'gap_p{at}']:.2f}" for at in (50, 95, 99) if f"gap_p{at}" in middle]
    return [
        workload,
        str(case),
        placement,
        noise,
        f"{middle['total']:.2f}",
        f"{min(totals):.2f} to {max(totals):.2f}",
        f"{1000 * middle['ttft']:.0f}" if "ttft" in middle else "",
        " / ".join(gaps),
        f"{middle['throttled_periods']:.0f}",
        f"{middle['throttled_seconds']:.1f}",
        f"{middle['run_queue_seconds']:.1f}",
        f"{middle['others_seconds']:.1f}" if "others_seconds" in middle else "",
        f"{middle['load']:.1f}",
        str(len(rounds)),
    ]
