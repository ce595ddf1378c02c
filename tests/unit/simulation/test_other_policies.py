"""Other policies do what their documentation says, on its own numbers where it has some."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.simulation.cases import case, run
from tidegate.domain.scaling import Load
from tidegate.simulation.engine import Engine
from tidegate.simulation.policies.horizontal import HorizontalRule
from tidegate.simulation.policies.hpa import Hpa
from tidegate.simulation.policies.keda import CronWindow, keda_cron, keda_queue
from tidegate.simulation.policies.knative import Knative
from tidegate.simulation.policies.request_count import RequestCount
from tidegate.simulation.scene import Scene


def scene(now: float, replicas: int, depth: int, *, ready: int | None = None, integral: float = 0.0) -> Scene:
    ready = replicas if ready is None else ready
    return Scene(now, replicas, ready, replicas - ready, None, None, 0.0, None, Load(), depth, integral)


# The HorizontalPodAutoscaler


@pytest.mark.parametrize(
    ("replicas", "total", "after"),
    [
        (1, 200, 2),  # 200m where 100m is wanted: doubled
        (2, 100, 2),  # halved, but not before the stabilization window is over
        (10, 1090, 10),  # within the tolerance of 0.1
        (10, 1110, 12),  # beyond it: 11.1, rounded up
        (50, 6000, 60),  # 50 x 90 / 75
        (1, 2000, 5),  # at most 4 pods in 15 s
        (10, 5000, 20),  # or 100 %
        (10, 99999, 20),
    ],
)
def test_the_horizontal_rule_on_its_documentations_numbers(replicas: int, total: float, after: int) -> None:
    assert HorizontalRule(100.0, 1, 100).sync(0.0, replicas, total) == after


def test_it_shrinks_to_the_largest_wish_of_the_last_five_minutes() -> None:
    rule, replicas, counts = HorizontalRule(10.0, 1, 10), 8, {}
    for look in range(40):
        now = look * 15.0
        replicas = rule.sync(now, replicas, 80 if look == 0 else 50 if look == 4 else 20)
        counts[now] = replicas
    assert counts[300.0] == 8
    assert counts[315.0] == 5  # what was wanted at 0 s is forgotten, what was wanted at 60 s is not
    assert counts[375.0] == 2


def test_a_horizontal_pod_autoscaler_looks_every_fifteen_seconds_and_keeps_one() -> None:
    answer = Hpa(12, 8).look(scene(0.0, 1, 0))
    assert (answer.replicas, answer.after) == (1, 15.0)
    assert Hpa(12, 8).look(scene(0.0, 1, 1000)).replicas == 5


# KEDA


def test_keda_sees_a_request_at_its_next_poll_and_starts_one() -> None:
    policy = keda_queue(12, 8)
    counts = []
    for look in range(5):
        counts.append(policy.look(scene(look * 15.0, 0, 0 if look == 0 else 50)).replicas)
        if counts[-1]:
            break
    assert counts == [0, 0, 1]  # not at 15 s, when only a HorizontalPodAutoscaler looks; polls are at 0, 30


def test_keda_hands_on_to_the_horizontal_rule_above_one() -> None:
    policy = keda_queue(12, 8)
    policy.look(scene(0.0, 0, 50))
    assert policy.look(scene(15.0, 1, 50)).replicas == 5


def test_keda_goes_to_zero_five_minutes_after_the_last_active_poll() -> None:
    policy, replicas, zero = keda_queue(12, 8), 1, None
    for look in range(60):
        now = look * 15.0
        replicas = policy.look(scene(now, replicas, 1 if now <= 60 else 0)).replicas
        if not replicas:
            zero = now
            break
    assert zero == 360.0


def test_kedas_cron_asks_for_its_number_within_its_window_and_for_nothing_outside() -> None:
    """From the poll at 120 s one, three from the next look on; one again 300 s after the last look that
    wanted three (at 390 s), none 300 s after the last active poll (at 390 s too)."""
    engine = Engine(slots=1, start_seconds=10.0)
    arrivals = [(float(second), 1.0) for second in range(130, 190)]
    figures = run(case(arrivals, engine, duration=1000.0), keda_cron([CronWindow(100.0, 400.0, 3)], 5))
    assert figures.starts == 3
    assert figures.replica_seconds == pytest.approx((690 - 120) + 2 * (690 - 135), abs=20)


# Knative


def test_the_kpa_divides_by_seventy_percent_of_the_concurrency() -> None:
    """containerConcurrency 10, 100 requests at once: 100 / (10 x 0.7), rounded up, are 15 pods."""
    assert Knative(10, 100).scale(0.0, 10, 100.0, 100.0) == 15


def test_one_step_stops_half_of_the_ready_pods_at_most() -> None:
    assert Knative(10, 100).scale(0.0, 10, 7.0, 7.0) == 5


def test_the_last_pod_may_go_in_one_step() -> None:
    assert Knative(10, 100).scale(0.0, 1, 0.0, 0.0) == 0


def test_it_panics_at_twice_what_the_ready_pods_should_carry_and_does_not_shrink_then() -> None:
    policy = Knative(10, 100)
    assert policy.scale(0.0, 2, 14.0, 21.0) == 2  # 3 wanted of 2: no panic, the stable window decides
    assert policy.scale(2.0, 2, 14.0, 28.0) == 4  # 4 of 2: panic
    assert policy.scale(4.0, 4, 14.0, 14.0) == 4
    assert policy.scale(62.0, 4, 14.0, 14.0) == 4  # a stable window has not passed yet
    assert policy.scale(62.1, 4, 14.0, 14.0) == 2


def test_a_step_up_multiplies_by_a_thousand_at_most() -> None:
    assert Knative(1, 10**6).scale(0.0, 1, 10_000.0, 10_000.0) == 1000


def test_a_request_at_zero_wakes_at_once_and_as_many_as_it_needs() -> None:
    assert Knative(10, 100).wake(scene(5.0, 0, 8)) == 2


def test_averages_are_over_the_window_not_of_the_moment() -> None:
    """70 requests for 6 of 60 s are 7 on average: one pod of 10; the panic window sees 70, and panics."""
    policy = Knative(10, 100)
    for tick in range(28):
        policy.look(scene(tick * 2.0, 1, 0))
    for tick, integral in ((56, 140.0), (58, 280.0), (60, 420.0)):
        answer = policy.look(scene(float(tick), 1, 70, integral=integral))
    assert answer.replicas == 10
    calm = Knative(10, 100)
    for tick in range(31):
        answer = calm.look(scene(tick * 2.0, 1, 0, integral=tick * 14.0))
    assert (answer.replicas, answer.after) == (1, 2.0)


def test_the_last_pod_goes_after_a_stable_window_without_a_request_and_the_grace() -> None:
    for grace, expected in ((0.0, 60.0), (30.0, 90.0)):
        policy, zero = Knative(10, 100, grace), None
        for tick in range(100):
            now = tick * 2.0
            if not policy.look(scene(now, 1, 0 if tick else 1, integral=10.0 if tick else 0.0)).replicas:
                zero = now
                break
        assert zero == pytest.approx(expected, abs=4.0)


# The count of requests


def test_the_count_at_the_moment_is_divided_by_the_scaler_value_and_rounded_up() -> None:
    for waiting, running, value, workers in ((7, 2, 4, 3), (7, 2, 1, 5), (6, 2, 4, 2), (0, 1, 4, 2)):
        told = replace(scene(0.0, 2, 0), reported=Load(waiting, running))
        assert RequestCount(value, 2, 5, 60.0).look(told).replicas == workers


def test_its_surplus_goes_when_fewer_were_enough_for_the_delay() -> None:
    policy = RequestCount(1, 2, 5, 60.0)
    policy.look(replace(scene(0.0, 2, 0), reported=Load(3, 2)))
    assert policy.look(replace(scene(1.0, 5, 0), reported=Load(0, 1))).replicas == 5
    assert policy.look(replace(scene(60.9, 5, 0), reported=Load(0, 1))).replicas == 5
    assert policy.look(replace(scene(61.0, 5, 0), reported=Load(0, 1))).replicas == 2
