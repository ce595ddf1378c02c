"""One order of events each: what is old in whose view, and what becomes of the request."""

from __future__ import annotations

import pytest

from tests.unit.orders.model import Gateway, World, calm, play, steps

WAKE = ("a request arrives at gateway 0", "gateway 0 wakes")
START = (
    "the controllers act",
    "pod 0 is ready",
    "the operator sees the deployment",
    "the operator sees pods",
)
SERVE = ("gateway 0 sees pods", "a request of gateway 0 ends", "the operator hears gateway 0")
DECIDE = ("the operator looks", "the workers are asked", "the operator looks again")
SLEEP = (*DECIDE, "the write lands")
IDLE = (*WAKE, *START, *SERVE, "a while passes")  # long enough that sleep is due


def served(world: World, requests: int) -> World:
    """The world at rest, in which so many were answered."""
    after = calm(world)
    assert (after.requests, after.served) == (0, requests)
    return after


def test_a_request_that_comes_to_a_sleeping_service_wakes_it_once() -> None:
    after = served(play(World(), *WAKE), 1)
    assert (after.wakes, after.sleeps) == (1, 0)


def test_a_second_request_while_the_worker_starts_does_not_wake_again() -> None:
    world = play(World(most=2), *WAKE, "the controllers act", "gateway 0 sees pods")
    world = play(world, "a request arrives at gateway 0")
    assert served(world, 2).wakes == 1


def test_a_wake_that_is_repeated_before_the_pod_is_seen_changes_nothing() -> None:
    world = play(World(), *WAKE, "gateway 0 wakes", "the controllers act", "gateway 0 wakes")
    assert served(world, 1).wakes == 1


def test_two_gateways_that_wake_at_once_wake_once() -> None:
    world = World(most=2, gateways=(Gateway(), Gateway()))
    world = play(world, "a request arrives at gateway 0", "a request arrives at gateway 1")
    world = play(world, "gateway 0 wakes", "gateway 1 wakes")
    assert served(world, 2).wakes == 1


def test_a_request_that_is_heard_before_the_decision_keeps_the_worker() -> None:
    world = play(World(), *IDLE, "a request arrives at gateway 0", "the operator hears gateway 0")
    assert served(play(world, "the operator looks"), 2).sleeps == 0


def test_a_request_that_comes_while_the_counters_are_asked_keeps_the_worker() -> None:
    world = play(World(), *IDLE, "the operator looks", "a request arrives at gateway 0")
    world = play(world, "the workers are asked", "the operator looks again")
    assert served(world, 2).sleeps == 0


def test_a_request_that_is_heard_after_the_counters_were_asked_keeps_the_worker() -> None:
    world = play(World(), *IDLE, "the operator looks", "the workers are asked")
    world = play(world, "a request arrives at gateway 0", "the operator hears gateway 0")
    assert served(play(world, "the operator looks again"), 2).sleeps == 0


def test_a_request_that_runs_when_the_write_lands_ends_on_the_worker_that_goes() -> None:
    world = play(World(), *IDLE, *DECIDE, "a request arrives at gateway 0", "the write lands")
    world = play(world, "the controllers act")
    assert "pod 0 is gone" not in dict(steps(world)), "it finishes what it runs"
    assert served(world, 2).wakes == 1


def test_a_request_that_comes_right_after_the_write_is_turned_away_by_the_worker_and_wakes_another() -> None:
    world = play(World(), *IDLE, *SLEEP, "the controllers act", "a request arrives at gateway 0")
    assert world.gateways[0].waiting == 1, "the gateway believes in the worker, and it takes nothing new"
    after = served(world, 2)
    assert (after.wakes, after.sleeps) == (2, 1)


def test_a_gateway_that_still_believes_in_a_worker_that_has_gone_wakes_when_it_sees_the_end() -> None:
    world = play(World(), *IDLE, *SLEEP, "the controllers act", "pod 0 is gone")
    world = play(world, "a request arrives at gateway 0")
    assert "gateway 0 wakes" not in dict(steps(world))
    world = play(world, "gateway 0 sees pods", "gateway 0 wakes")
    assert served(world, 2).wakes == 2


def test_a_worker_that_ends_does_not_keep_a_gateway_from_waking() -> None:
    world = play(World(), *IDLE, *SLEEP, "the controllers act", "gateway 0 sees pods", *WAKE)
    assert served(world, 2).wakes == 2


def test_a_wake_between_a_decision_and_its_write_is_not_undone() -> None:
    """Somebody has scaled it down by hand, and the operator has seen nothing of that, nor of the wake."""
    world = play(World(), *IDLE)
    by_hand = world.deployment._replace(replicas=0, version=world.deployment.version + 1)
    world = play(world._replace(deployment=by_hand, pods=()), *DECIDE, "gateway 0 sees pods", *WAKE)
    world = play(world, "the write lands")
    assert (world.conflicts, world.deployment.replicas) == (1, 1)
    after = served(world, 2)
    assert (after.wakes, after.sleeps, after.undone) == (2, 0, 0)


@pytest.mark.parametrize("late", ["the operator sees pods", "the operator hears gateway 0"])
def test_an_operator_that_sees_the_wake_before_all_else_does_not_undo_it(late: str) -> None:
    """The Deployment says one again, the worker of before looks ready and idle, and no line has come."""
    world = play(World(), *IDLE, *SLEEP, "the controllers act", "gateway 0 sees pods", *WAKE)
    world = play(world, "the operator sees the deployment", "the operator looks")
    assert world.operator.at.replicas is None
    assert not world.operator.at.asking
    after = served(play(world, late, "the operator looks"), 2)
    assert (after.wakes, after.sleeps) == (2, 1)


def test_an_operator_that_begins_with_old_pods_waits_for_the_gateways_before_it_lets_anybody_sleep() -> None:
    world = play(World(accidents=1), *IDLE, *SLEEP, "the controllers act", "gateway 0 sees pods", *WAKE)
    world = play(world, "the operator is replaced", *DECIDE)
    assert world.operator.at.replicas is None
    assert served(world, 2).undone == 0


def test_a_pod_that_somebody_deletes_under_a_request_is_replaced_without_a_wake() -> None:
    world = play(World(accidents=1), *IDLE, "somebody deletes pod 0", "gateway 0 sees pods")
    world = play(world, "a request arrives at gateway 0", "gateway 0 wakes")
    assert served(world, 2).wakes == 1, "the number was one all the time"


def test_a_wake_while_the_last_pod_still_ends_makes_a_second_pod_and_costs_no_request() -> None:
    world = play(World(most=2), *IDLE, *DECIDE, "a request arrives at gateway 0", "the write lands")
    world = play(world, "the controllers act", "gateway 0 sees pods", *WAKE)
    world = play(world, "the controllers act", "pod 1 is ready", "gateway 0 sees pods")
    assert world.gateways[0].running == (0, 1)
    assert served(world, 3).wakes == 2
