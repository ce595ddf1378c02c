"""Traces that are read, thinned, compressed and made."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.simulation import shapes
from tidegate.simulation.engine import Engine
from tidegate.simulation.reading import read_trace
from tidegate.simulation.seeds import seeded
from tidegate.simulation.trace import Request, Trace

AZURE = Path(__file__).parents[3] / "benchmarks" / "traces" / "azure-llm-2023-conv.csv.gz"
TOKENS = "TIMESTAMP,ContextTokens,GeneratedTokens"


def read(*lines: str) -> Trace:
    return read_trace(io.StringIO("\n".join(lines)))


def test_the_vendored_trace_is_whole() -> None:
    with gzip.open(AZURE, "rt", encoding="utf-8") as file:
        trace = read_trace(file)
    assert len(trace.requests) == 19366
    assert trace.duration == pytest.approx(3501.722, abs=0.001)
    assert trace.requests[0] == Request(0.0, 374, 44)
    assert sum(request.generated_tokens for request in trace.requests) == 4_088_665


def test_arrivals_are_seconds_since_the_first_one_to_seven_decimals() -> None:
    trace = read(TOKENS, "2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:50.9951690,396,109")
    assert trace.requests[1].arrival == pytest.approx(4.314579, abs=1e-6)
    assert (trace.requests[1].prompt_tokens, trace.requests[1].generated_tokens) == (396, 109)


def test_a_zone_in_a_timestamp_is_heeded() -> None:
    trace = read(TOKENS, "2026-01-01 12:00:00+02:00,1,1", "2026-01-01 10:00:30+00:00,1,1")
    assert trace.duration == 30.0


def test_arrivals_in_seconds_come_with_the_seconds_that_they_run() -> None:
    trace = read("arrival,seconds", "30,2.5", "", "10,1")
    assert trace.requests == (Request(0.0, seconds=1.0), Request(20.0, seconds=2.5))
    assert trace.duration == 20.0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), f"line 1: the header is missing; it must be {TOKENS} or arrival,seconds"),
        (("time,tokens", "1,2"), "line 1: the header is time,tokens; it must be"),
        ((TOKENS,), "line 2: no request follows the header"),
        ((TOKENS, "2023-11-16 18:15:46.68,374"), "line 2: 2 columns where the header has 3"),
        ((TOKENS, "2023-11-16 18:15:46,1,2", "now,1,2"), "line 3: TIMESTAMP: 'now' is not like 2023"),
        ((TOKENS, "2023-11-16 18:15:46.4x,1,2"), "line 2: TIMESTAMP: '2023-11-16 18:15:46.4x' is not"),
        ((TOKENS, "2023-11-16 18:15:46,-1,2"), "line 2: ContextTokens: '-1' is not a whole number, 0"),
        ((TOKENS, "2023-11-16 18:15:46,1,2.5"), "line 2: GeneratedTokens: '2.5' is not a whole number"),
        (("arrival,seconds", "1,0"), "line 2: seconds: '0' is not a number of seconds above 0"),
        (("arrival,seconds", "1,1", "nan,1"), "line 3: arrival: 'nan' is not a number of seconds"),
        (("arrival,seconds", "inf,1"), "line 2: arrival: 'inf' is not a number of seconds"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match="line") as caught:
        read(*lines)
    assert str(caught.value).startswith(said)


def test_thinning_keeps_a_share_at_its_times_and_compression_keeps_all() -> None:
    whole = shapes.steady(5.0, 1000.0, 1.0, seeded(1))
    fewer = whole.thinned(0.25, seeded(2))
    assert len(fewer.requests) == pytest.approx(len(whole.requests) / 4, rel=0.1)
    assert set(fewer.requests) <= set(whole.requests)
    assert fewer.duration == whole.duration
    faster = whole.compressed(4.0)
    assert len(faster.requests) == len(whole.requests)
    assert faster.duration == 250.0
    assert faster.requests[-1].arrival == pytest.approx(whole.requests[-1].arrival / 4)


def between(trace: Trace, begin: float, end: float) -> float:
    """Requests a second."""
    return sum(1 for request in trace.requests if begin <= request.arrival < end) / (end - begin)


def test_a_daily_curve_is_lowest_at_three_and_highest_at_fifteen() -> None:
    trace = shapes.daily(0.2, 4.0, 86_400.0, 1.0, seeded(1))
    assert between(trace, 2 * 3600, 4 * 3600) == pytest.approx(0.26, abs=0.06)
    assert between(trace, 14 * 3600, 16 * 3600) == pytest.approx(3.96, abs=0.15)


def test_on_and_off_are_that() -> None:
    trace = shapes.on_off(shapes.OnOff(2.0, 100, 300), 4000.0, 1.0, seeded(1))
    assert all(request.arrival % 400 < 100 for request in trace.requests)
    assert len(trace.requests) / 1000 == pytest.approx(2.0, rel=0.1)


def test_each_stretch_has_one_burst() -> None:
    trace = shapes.bursts(shapes.Bursts(0.0, 10.0, 100, 20), 1000.0, 1.0, seeded(1))
    for stretch in range(10):
        times = [r.arrival for r in trace.requests if stretch * 100 <= r.arrival < (stretch + 1) * 100]
        assert 15 < times[-1] - times[0] < 20


@pytest.mark.parametrize(
    "make",
    [
        lambda chance: shapes.steady(2.0, 500.0, 3.0, chance),
        lambda chance: shapes.daily(0.1, 1.0, 5000.0, 3.0, chance),
    ],
)
def test_a_shape_is_its_seeds(make: Callable[[random.Random], Trace]) -> None:
    assert make(seeded(4)) == make(seeded(4)) != make(seeded(5))


def test_an_engine_runs_tokens_at_its_pace_and_seconds_as_they_are() -> None:
    engine = Engine(seconds_per_prompt_token=0.001, seconds_per_token=0.05)
    assert engine.work(Request(0.0, 1000, 100)) == pytest.approx(6.0)
    assert engine.work(Request(0.0, 1000, 100, seconds=7.0)) == 7.0
    starts = [Engine(start_seconds=60, start_spread=0.5).start(seeded(seed)) for seed in range(50)]
    assert 30 <= min(starts) < 45
    assert 75 < max(starts) <= 90
