"""Twenty services at zero that are woken at one moment, beside twenty bare pods that are."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence

from harness.report import Findings, Measure
from wake.field import Field, Wake
from wake.figures import ratio

SERVICES = 20
EVERY = 0.05  # seconds between two probes of each bare pod: at 10 ms the prober would be in the pods' way
LIMIT = 1.3
SMALL = {"resources": {"cpu": 1, "memory": "64Mi"}, "cpuIsolation": "None"}


async def at_once(field: Field, rounds: int) -> Findings:
    """The last answer of the twenty, in each round both ways."""
    names = [f"many-{number:02}" for number in range(SERVICES)]
    await asyncio.gather(*(field.create(name, SMALL) for name in names))
    await asyncio.gather(*map(field.create_bare, names))
    findings = Findings()
    lasts: dict[str, list[float]] = {"tidegate": [], "bare": []}
    for number in range(rounds):
        for way in ("tidegate", "bare") if number % 2 else ("bare", "tidegate"):
            last = await _round(field, names, way)
            lasts[way].append(last)
            findings.rounds.append({"what": "at_once", "proxy": way, "last": last})
            print(
                f"{SERVICES} at once, {number + 1}/{rounds}, {way}: the last after {last:.3f} s", flush=True
            )
    findings.measures += _measures(lasts)
    return findings


async def _round(field: Field, names: Sequence[str], way: str) -> float:
    await field.asleep(names, names)
    if way == "bare":
        found = await asyncio.gather(*(field.wake_bare(name, EVERY) for name in names))
    else:
        found = await asyncio.gather(*(field.wake(name) for name in names))
    require_answered(found)
    return max(wake.answer for wake in found)


def require_answered(found: Sequence[Wake]) -> None:
    """AssertionError where a request was not answered with 200."""
    statuses = {wake.status for wake in found}
    if statuses != {200}:
        raise AssertionError(f"answers other than 200: {statuses}")


def _measures(lasts: dict[str, list[float]]) -> list[Measure]:
    medians = {way: statistics.median(values) for way, values in lasts.items()}
    text = f"{SERVICES} at once: the last answer, median"
    return [
        Measure("at_once_last", text, "s", medians),
        ratio("at_once_ratio", "its ratio", medians["tidegate"] / medians["bare"], LIMIT),
    ]
