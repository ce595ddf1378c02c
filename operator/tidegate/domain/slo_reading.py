"""A gateway's answer to /slo/<namespace>/<name>, read with care: it comes from another process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.domain.loose import Json, mapping, text
from tidegate.domain.outcome import Outcome
from tidegate.domain.slo import Histogram, Tally
from tidegate.domain.slo_window import Reading

# Neither the service's merit nor its fault: the client erred or left, or somebody switched the service off.
_NOT_COUNTED = frozenset(
    each.text
    for each in (
        Outcome.REJECTED_INVALID,
        Outcome.REJECTED_UNKNOWN,
        Outcome.REJECTED_SUSPENDED,
        Outcome.EVICTED_REMOVED,
        Outcome.EVICTED_BODY,
        Outcome.CLIENT_GONE,
    )
)


def read_slo(answer: object) -> Reading:
    """The reading; ValueError where the answer is none."""
    found = mapping(answer)
    instance, uptime = text(found.get("instance")), found.get("uptimeSeconds")
    if not instance or not isinstance(uptime, int | float):
        raise ValueError(f"not what a gateway counts: {str(answer)[:80]}")
    histograms = {
        str(name): _histogram(mapping(one)) for name, one in mapping(found.get("histograms")).items()
    }
    good, bad = _requests(found)
    return Reading(instance, float(uptime), Tally(histograms, good, bad))


def _histogram(one: Json) -> Histogram:
    edges, counts = _numbers(one.get("edges")), _numbers(one.get("counts"))
    if len(counts) != len(edges) + 1:
        raise ValueError(f"a histogram of {len(edges)} edges has {len(counts)} counts")
    return Histogram(tuple(float(edge) for edge in edges), tuple(int(count) for count in counts))


def _numbers(value: Any) -> Sequence[float]:
    """A tuple where the gateway is in this very process, and no JSON lies between."""
    if not isinstance(value, list | tuple) or not all(isinstance(each, int | float) for each in value):
        raise ValueError(f"not a list of numbers: {str(value)[:80]}")
    return value


def _requests(found: Json) -> tuple[int, int]:
    """Good: a worker's whole answer, unless that was the worker's own failure (5xx). Bad: the rest."""
    good = bad = 0
    for outcome, codes in mapping(found.get("requests")).items():
        for code, count in mapping(codes).items():
            if outcome in _NOT_COUNTED or not isinstance(count, int):
                continue
            if outcome == Outcome.COMPLETED.text and not str(code).startswith("5"):
                good += count
            else:
                bad += count
    return good, bad
