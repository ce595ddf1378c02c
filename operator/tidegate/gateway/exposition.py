"""Writes /metrics in small slices, so that a scrape of thousands of services stalls no stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from tidegate.gateway.families import FAMILIES, Family
from tidegate.gateway.metrics import Meters

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
# A slice holds the event loop for half a millisecond, and one service's series of one metric (some 20 µs)
# more at most; between two slices everything else that is ready runs.
SLICE_SECONDS = 0.0005


async def render(meters: Callable[[], Iterable[Meters]], time: Callable[[], float]) -> AsyncIterator[bytes]:
    """The exposition text, in pieces; a service that comes or goes meanwhile does so between two metrics."""
    pieces: list[str] = []
    end = time() + SLICE_SECONDS
    for family in FAMILIES:
        pieces.append(_preamble(family))
        for one in list(meters()):
            pieces.append(one.text(family))
            if time() >= end:
                yield "".join(pieces).encode()
                pieces = []
                await asyncio.sleep(0)
                end = time() + SLICE_SECONDS
    yield "".join(pieces).encode()


def _preamble(family: Family) -> str:
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.type}\n"
