"""Writes /metrics in small slices, so that a scrape of thousands of services stalls no stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from prometheus_client.metrics import MetricWrapperBase

from tidegate.gateway.metrics import FAMILIES, Family, Meters, label_text

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
# A slice holds the event loop for 1 ms and one service's series of one metric (0.1 ms) at most; between
# two slices everything else that is ready runs.
SLICE_SECONDS = 0.001


async def render(meters: Callable[[], Iterable[Meters]], time: Callable[[], float]) -> AsyncIterator[bytes]:
    """The exposition text, in pieces; a service that comes or goes meanwhile is in it from then on."""
    pieces: list[str] = []
    end = time() + SLICE_SECONDS
    for family in FAMILIES:
        pieces.append(_preamble(family))
        for one in list(meters()):
            pieces.extend(line for labels, metric in one.of(family) for line in _lines(metric, labels))
            if time() >= end:
                yield "".join(pieces).encode()
                pieces = []
                await asyncio.sleep(0)
                end = time() + SLICE_SECONDS
    yield "".join(pieces).encode()


def _preamble(family: Family) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.type}\n"


def _lines(metric: MetricWrapperBase, labels: str) -> list[str]:
    """The samples of one metric; those that say when it was created are left out."""
    lines = []
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                own = f"{labels},{label_text(**sample.labels)}" if sample.labels else labels
                lines.append(f"{sample.name}{{{own}}} {sample.value!r}\n")
    return lines
