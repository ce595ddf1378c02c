"""All policies on one scenario, and what cannot be beaten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.simulation.bound import Bound, lower_bound
from tidegate.simulation.clairvoyant import carried_out
from tidegate.simulation.figures import Figures
from tidegate.simulation.policies.fixed import AlwaysOn
from tidegate.simulation.policies.hpa import Hpa
from tidegate.simulation.policies.keda import keda_cron, keda_queue
from tidegate.simulation.policies.knative import Knative
from tidegate.simulation.policies.tidegate import Tidegate
from tidegate.simulation.run import Case, simulate
from tidegate.simulation.scenario import Scenario
from tidegate.simulation.scene import Autoscaler
from tidegate.simulation.seeds import seeded

STEPS = 40_000  # of the bound, at most: a day is looked at every 3 s, an hour every second


@dataclass(frozen=True, slots=True)
class Comparison:
    """``figures``: tidegate's first. ``bound`` None: not even the largest number serves all in time."""

    scenario: Scenario
    figures: tuple[Figures, ...]
    bound: Bound | None
    plan: Figures | None


def _unheard(_name: str) -> None:
    """Nobody is told of progress."""


def compare(
    scenario: Scenario, seed: int = 1, *, plan: bool = True, begins: Callable[[str], None] = _unheard
) -> Comparison:
    """Every policy on the same arrivals, with the same chance; ``plan``: a clairvoyant one is tried too.
    ``begins`` hears the name of each part when it begins."""
    case, maximum = scenario.case, scenario.bounds.maximum
    step = max(1.0, case.duration / STEPS)
    begins("lower bound")
    bound = lower_bound(case.arrivals, case.engine, case.duration, case.target, maximum, step)
    if bound and plan:
        begins("clairvoyant plan")
    done = carried_out(case, bound, maximum, seed).figures if bound and plan else None
    ran = []
    for policy in policies(scenario):
        begins(policy.name)
        ran.append(simulate(case, policy, seeded(seed)))
    begins("always on")
    ran.append(always_on(case, maximum, seed))
    return Comparison(scenario, tuple(ran), bound, done)


def policies(scenario: Scenario) -> list[Autoscaler]:
    """Each anew: they remember."""
    target, maximum = scenario.per_worker, scenario.bounds.maximum
    cron = scenario.cron
    made: list[Autoscaler] = [
        Tidegate(scenario.spec),
        Hpa(target, maximum),
        keda_queue(target, maximum),
        *([keda_cron(cron, maximum)] if cron else []),
        Knative(scenario.engine.slots, maximum),
    ]
    for policy in made:
        policy.initial = max(policy.initial, scenario.initial)
    return made


def always_on(case: Case, maximum: int, seed: int) -> Figures:
    """The smallest number that serves as many in time as the largest does, all the time."""
    return _least(lambda count: simulate(case, AlwaysOn(count), seeded(seed)), maximum)


def _least(run: Callable[[int], Figures], maximum: int) -> Figures:
    best = run(maximum)
    low, high = 1, maximum
    while low < high:
        middle = (low + high) // 2
        figures = run(middle)
        if figures.attainment >= best.attainment:
            best, high = figures, middle
        else:
            low = middle + 1
    return best


def better_on_both(one: Figures, others: Sequence[Figures]) -> list[Figures]:
    """Those that serve more in time and cost less."""
    return [
        other
        for other in others
        if other.attainment > one.attainment and other.replica_seconds < one.replica_seconds
    ]
