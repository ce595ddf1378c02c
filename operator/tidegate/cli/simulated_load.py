"""The requests of ``tidegate simulate``: read from a file, or made."""

from __future__ import annotations

import argparse
import gzip
import io
from collections.abc import Callable, Mapping
from typing import Final

from tidegate.simulation import shapes
from tidegate.simulation.reading import read_trace
from tidegate.simulation.seeds import seeded
from tidegate.simulation.trace import Trace

_GZIP: Final = b"\x1f\x8b"


def simulated_trace(options: argparse.Namespace) -> Trace:
    """The trace that the options ask for. OSError, or ValueError that names file, line and column."""
    if options.trace is None:
        return _shape(options)
    raw = options.trace.read_bytes()
    try:
        text = gzip.decompress(raw) if raw.startswith(_GZIP) else raw
        return read_trace(io.StringIO(text.decode("utf-8-sig")))
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{options.trace}: {error}") from None


def _shape(options: argparse.Namespace) -> Trace:
    rate, duration, seconds = options.rate, options.hours * 3600, options.request_seconds
    if not (rate and duration and seconds):
        raise ValueError("--rate, --hours and --request-seconds must be above 0")
    random = seeded(options.seed)
    made: Mapping[str, Callable[[], Trace]] = {
        "steady": lambda: shapes.steady(rate, duration, seconds, random),
        "bursts": lambda: shapes.bursts(shapes.Bursts(rate / 16, rate), duration, seconds, random),
        "daily": lambda: shapes.daily(rate / 30, rate, duration, seconds, random),
        "on-off": lambda: shapes.on_off(shapes.OnOff(rate), duration, seconds, random),
    }
    return made[options.shape]()
