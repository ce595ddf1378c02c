"""The requests of ``tidegate simulate``: read from a file, or made."""

from __future__ import annotations

import argparse
import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tidegate.simulation import shapes
from tidegate.simulation.reading import read_trace
from tidegate.simulation.seeds import seeded
from tidegate.simulation.trace import Trace

_GZIP: Final = b"\x1f\x8b"
_LONGEST: Final = 366 * 86400  # seconds
_MOST: Final = 20_000_000  # requests; each takes some hundred bytes


def simulated_trace(options: argparse.Namespace) -> Trace:
    """The trace that the options ask for. OSError, or ValueError that names file, line and column."""
    if options.trace is None:
        return _shape(options)
    try:
        return _bounded(_read(options.trace))
    except UnicodeDecodeError as error:
        raise ValueError(f"{options.trace}: byte {error.start + 1} is not UTF-8; is it a CSV file?") from None
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{options.trace}: {error}") from None


def _read(path: Path) -> Trace:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if raw.startswith(_GZIP) else raw
    return read_trace(io.StringIO(text.decode("utf-8-sig")))


def _bounded(trace: Trace) -> Trace:
    """A unit that is mistaken makes a trace of decades."""
    if trace.duration > _LONGEST:
        days = trace.duration / 86400
        raise ValueError(f"spans {days:,.0f} days, and a year can be simulated; are its arrivals seconds?")
    return trace


def _shape(options: argparse.Namespace) -> Trace:
    rate, duration, seconds = options.rate, options.hours * 3600, options.request_seconds
    if not (rate and duration and seconds):
        raise ValueError("--rate, --hours and --request-seconds must be above 0")
    if duration > _LONGEST or rate * duration > _MOST:
        raise ValueError(f"--rate, --hours: at most a year ({_LONGEST // 3600} hours) and {_MOST:,} requests")
    random = seeded(options.seed)
    made: Mapping[str, Callable[[], Trace]] = {
        "steady": lambda: shapes.steady(rate, duration, seconds, random),
        "bursts": lambda: shapes.bursts(shapes.Bursts(rate / 16, rate), duration, seconds, random),
        "daily": lambda: shapes.daily(rate / 30, rate, duration, seconds, random),
        "on-off": lambda: shapes.on_off(shapes.OnOff(rate), duration, seconds, random),
    }
    return made[options.shape]()
