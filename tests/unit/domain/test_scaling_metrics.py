import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.scaling import Load
from tidegate.domain.scaling_metrics import HEADROOM, Metric, PerReplica, QueueDelay


@pytest.mark.parametrize(("depth", "workers"), [(0, 0), (1, 1), (24, 1), (25, 2), (100, 5)])
def test_a_worker_for_every_so_many_requests_that_wait_or_run(depth: int, workers: int) -> None:
    assert PerReplica(24).workers(Load(waiting=depth)) == workers
    assert PerReplica(24).workers(Load(in_flight=depth)) == workers
    assert PerReplica(24).workers(Load(waiting=depth // 2, in_flight=depth - depth // 2)) == workers


@pytest.mark.parametrize(
    ("waiting", "in_flight", "seconds", "workers"),
    [
        (60, 32, 10.0, 3),  # 60 of 10 s, 32 at once, within 5 s: 3.75, but 3 have a slot for all 92
        (60, 32, 5.0, 2),  # 1.9
        (60, 32, 2.0, 1),
        (200, 32, 5.0, 7),  # 6.25, and 8 would have a slot for everybody
        (0, 32, 100.0, 1),
        (0, 33, 100.0, 2),  # what runs keeps its worker
        (0, 0, 100.0, 0),
        (1, 32, 1000.0, 2),
        (60, 0, None, 2),  # nothing is known: a slot for everybody
        (0, 64, None, 2),
    ],
)
def test_as_many_as_bring_the_delay_within_its_target(
    waiting: int, in_flight: int, seconds: float | None, workers: int
) -> None:
    load = Load(waiting, in_flight, execution_seconds=seconds)
    assert QueueDelay(target=5.0, slots=32).workers(load) == workers


def test_what_it_counted_is_said() -> None:
    load = Load(waiting=30, in_flight=20, execution_seconds=12.3456)
    assert PerReplica(24).says(load) == "50 requests wait or run, 24 for each worker"
    said = "30 requests wait, each runs about 12.3 s, 2.5 s of waiting are allowed"
    assert QueueDelay(2.5, 32).says(load) == said
    assert "for an unknown time" in QueueDelay(2.5, 32).says(Load(waiting=30))


METRICS: st.SearchStrategy[Metric] = st.builds(PerReplica, st.integers(1, 100)) | st.builds(
    QueueDelay, st.floats(0.001, 3600), st.integers(1, 4096)
)
LOADS = st.builds(
    lambda waiting, in_flight, seconds: Load(waiting, in_flight, execution_seconds=seconds),
    st.integers(0, 100_000),
    st.integers(0, 100_000),
    st.none() | st.floats(0.000001, 86400),
)


@given(METRICS, LOADS, st.integers(0, 1000), st.integers(0, 1000))
def test_more_load_never_needs_fewer_workers(
    metric: Metric, load: Load, waiting: int, in_flight: int
) -> None:
    more = replace(load, waiting=load.waiting + waiting, in_flight=load.in_flight + in_flight)
    assert 0 <= metric.workers(load) <= metric.workers(more)


@given(METRICS, LOADS, st.floats(1.0, 1.1), st.floats(1.0, 1.1))
def test_a_load_that_moves_within_a_tenth_stops_no_worker_that_it_needs(
    metric: Metric, load: Load, waiting: float, in_flight: float
) -> None:
    """The smaller of two such loads keeps as many as the larger one needs: no sample undoes the other's."""
    higher = replace(
        load,
        waiting=min(math.floor(load.waiting * waiting), load.waiting * HEADROOM // 100),
        in_flight=min(math.floor(load.in_flight * in_flight), load.in_flight * HEADROOM // 100),
    )
    assert metric.workers(load, HEADROOM) >= metric.workers(higher)


@given(st.floats(0.01, 100), st.integers(1, 64), st.integers(1, 1000), st.floats(0.01, 100))
def test_with_the_workers_that_it_asks_for_the_delay_is_within_the_target(
    target: float, slots: int, waiting: int, seconds: float
) -> None:
    metric = QueueDelay(target, slots)
    count = metric.workers(Load(waiting, 0, execution_seconds=seconds))
    through = waiting * seconds / (slots * count)
    assert through <= target * 1.000001 or count * slots >= waiting
