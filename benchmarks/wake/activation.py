"""One service from zero beside the same pod without tidegate, in interleaved pairs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict

from harness.report import Findings, Measure
from wake.field import Field, Wake
from wake.figures import p95, ratio

NAME = "one"
EVERY = 0.01  # seconds between two probes of the bare pod
MEDIAN_LIMIT, P95_LIMIT = 1.05, 1.15


async def activation(field: Field, pairs: int) -> Findings:
    """Every other pair begins with the bare pod; a first one does not count."""
    await field.create(NAME)
    await field.create_bare(NAME)
    await _pair(field, bare_first=True)
    findings, found = Findings(), []
    for number in range(pairs):
        ours, bare = await _pair(field, bare_first=bool(number % 2))
        found.append((ours, bare))
        findings.rounds.append({"what": "activation", "tidegate": asdict(ours), "bare": asdict(bare)})
        print(f"pair {number + 1}/{pairs}: {_shown(ours)}; bare {_shown(bare)}", flush=True)
    findings.measures += _measures(found)
    return findings


def _shown(wake: Wake) -> str:
    return f"address {wake.address:.3f} s, answer {wake.answer:.3f} s"


async def _pair(field: Field, *, bare_first: bool) -> tuple[Wake, Wake]:
    if bare_first:
        bare = await _bare(field)
        return await _ours(field), bare
    ours = await _ours(field)
    return ours, await _bare(field)


async def _ours(field: Field) -> Wake:
    await field.asleep([NAME], [NAME])
    return await field.wake(NAME)


async def _bare(field: Field) -> Wake:
    await field.asleep([NAME], [NAME])
    return await field.wake_bare(NAME, EVERY)


def _measures(pairs: Sequence[tuple[Wake, Wake]]) -> list[Measure]:
    ratios = [ours.answer / bare.answer for ours, bare in pairs]
    return [
        _seconds("activation_median", "from zero to the first byte, median", pairs, statistics.median),
        _seconds("activation_p95", "from zero to the first byte, p95", pairs, p95),
        ratio("activation_ratio_median", "a pair's ratio, median", statistics.median(ratios), MEDIAN_LIMIT),
        ratio("activation_ratio_p95", "a pair's ratio, p95", p95(ratios), P95_LIMIT),
    ]


def _seconds(
    name: str, text: str, pairs: Sequence[tuple[Wake, Wake]], of: Callable[[Sequence[float]], float]
) -> Measure:
    ours, bare = [pair[0].answer for pair in pairs], [pair[1].answer for pair in pairs]
    return Measure(name, text, "s", {"tidegate": of(ours), "bare": of(bare)})
