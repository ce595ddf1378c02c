"""The case of a load-test report: what a scaler value of 1 does to the queue where 4 was set.

The report tells: workers that run one job at a time, between 2 and 5 of them, scaled by the count of
requests; with a scaler value of 4 jobs waited 10.9 s on average, with 1 3.9 s, 64 % less. It does not tell
how often jobs came, how long they ran, or how long a worker took to start. Those are assumed here, and each
is varied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.simulation import shapes
from tidegate.simulation.engine import Engine
from tidegate.simulation.figures import Figures
from tidegate.simulation.policies.request_count import RequestCount
from tidegate.simulation.policies.tidegate import Tidegate
from tidegate.simulation.run import Case, simulate
from tidegate.simulation.scene import Autoscaler
from tidegate.simulation.seeds import seeded
from tidegate.simulation.service import service

FEWEST: Final = 2
MOST: Final = 5
REPORTED: Final = (10.9, 3.9)  # seconds of waiting, with a scaler value of 4 and of 1
LOADS: Final = (0.6, 0.7, 0.9)
JOB_SECONDS: Final = (3.0, 12.0)
START_SECONDS: Final = (20.0, 120.0)
HOURS: Final = 8
DELAY_SECONDS: Final = (30.0, 600.0)


Rule = Callable[[int, float], Autoscaler]  # by a scaler value and the delay of surplus


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the report leaves open: ``load`` is the share of the time that five workers are busy, jobs come at
    random (Poisson) and run an exponential time."""

    load: float = 0.8
    job_seconds: float = 6.0
    start_seconds: float = 60.0
    delay_seconds: float = 180.0  # for which a worker that is not needed is kept

    def __str__(self) -> str:
        """In words."""
        return (
            f"load {self.load:.0%}, jobs {self.job_seconds:g} s, starts {self.start_seconds:g} s, "
            f"surplus kept {self.delay_seconds:g} s"
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """The same jobs under one rule, with a scaler value of 4 and of 1."""

    assumed: Assumptions
    four: Figures
    one: Figures

    @property
    def falls_by(self) -> float:
        """The share of the mean wait that is gone."""
        return 1 - self.one.wait_mean / self.four.wait_mean if self.four.wait_mean else 0.0


def by_request_count(scaler_value: int, delay: float) -> Autoscaler:
    """The rule of the report: the count at this moment."""
    return RequestCount(scaler_value, FEWEST, MOST, delay)


def by_tidegate(scaler_value: int, delay: float) -> Autoscaler:
    """tidegate with the metric RequestCount."""
    metric = PerReplica(scaler_value)
    bounds = Bounds(FEWEST, MOST, metric=metric, scale_down_delay=delay, slots=1)
    return Tidegate(lambda _: bounds)


def replayed(rule: Rule, assumed: Assumptions, seed: int = 1) -> Outcome:
    """The case under one rule and these assumptions."""
    return Outcome(assumed, *(_run(rule(value, assumed.delay_seconds), assumed, seed) for value in (4, 1)))


def variations() -> Iterator[Assumptions]:
    """Each assumption varied by itself."""
    yield from (Assumptions(load=load) for load in LOADS)
    yield from (Assumptions(job_seconds=seconds) for seconds in JOB_SECONDS)
    yield from (Assumptions(start_seconds=seconds) for seconds in START_SECONDS)
    yield from (Assumptions(delay_seconds=seconds) for seconds in DELAY_SECONDS)


def _run(rule: Autoscaler, assumed: Assumptions, seed: int) -> Figures:
    rate = assumed.load * MOST / assumed.job_seconds
    trace = shapes.steady(rate, HOURS * 3600.0, assumed.job_seconds, seeded(seed))
    engine = Engine(slots=1, start_seconds=assumed.start_seconds)
    case = Case(engine.arrivals(trace), trace.duration, engine, service(1), target=2.0)
    return simulate(case, rule, seeded(seed))
