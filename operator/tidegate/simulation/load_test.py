"""The case of a load-test report: what a scaler value of 1 does to the queue where 4 was set.

The report tells: workers that run one job at a time, between 2 and 5 of them, scaled by the count of
requests; with a scaler value of 4 jobs waited 10.9 s on average, with 1 3.9 s, 64 % less. It does not tell
how often jobs came, how long they ran, or how long a worker took to start. Those are assumed here, and each
is varied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.simulation import shapes
from tidegate.simulation.engine import Engine
from tidegate.simulation.figures import Figures
from tidegate.simulation.policies.tidegate import Tidegate
from tidegate.simulation.run import Case, simulate
from tidegate.simulation.seeds import seeded
from tidegate.simulation.service import service

FEWEST: Final = 2
MOST: Final = 5
REPORTED: Final = (10.9, 3.9)  # seconds of waiting, with a scaler value of 4 and of 1
LOADS: Final = (0.6, 0.7, 0.8, 0.9)
JOB_SECONDS: Final = (3.0, 6.0, 12.0)
START_SECONDS: Final = (20.0, 60.0, 120.0)
HOURS: Final = 8


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the report leaves open: ``load`` is the share of the time that five workers are busy, jobs come at
    random (Poisson) and run an exponential time."""

    load: float = 0.8
    job_seconds: float = 6.0
    start_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The same jobs with a scaler value of 4 and of 1."""

    assumed: Assumptions
    four: Figures
    one: Figures

    @property
    def falls_by(self) -> float:
        """The share of the mean wait that is gone."""
        return 1 - self.one.wait_mean / self.four.wait_mean if self.four.wait_mean else 0.0


def replayed(assumed: Assumptions, seed: int = 1) -> Outcome:
    """The case under these assumptions."""
    return Outcome(assumed, _run(assumed, 4, seed), _run(assumed, 1, seed))


def variations() -> Iterator[Assumptions]:
    """Each assumption varied by itself."""
    yield from (Assumptions(load=load) for load in LOADS)
    yield from (Assumptions(job_seconds=seconds) for seconds in JOB_SECONDS)
    yield from (Assumptions(start_seconds=seconds) for seconds in START_SECONDS)


def _run(assumed: Assumptions, scaler_value: int, seed: int) -> Figures:
    chance = seeded(seed)
    rate = assumed.load * MOST / assumed.job_seconds
    trace = shapes.steady(rate, HOURS * 3600.0, assumed.job_seconds, chance)
    engine = Engine(slots=1, start_seconds=assumed.start_seconds)
    case = Case(engine.arrivals(trace), trace.duration, engine, service(1), target=2.0)
    bounds = Bounds(FEWEST, MOST, metric=PerReplica(scaler_value), slots=1)
    return simulate(case, Tidegate(lambda _: bounds, f"scaler value {scaler_value}"), chance)
