"""Whatever the order of events, and however old anybody's view is: who waits gets a worker, and keeps it.

All orders of a small world are tried, and many that are drawn of a larger one.
"""

from __future__ import annotations

import random

import pytest

from tests.unit.orders.alike import alike
from tests.unit.orders.explore import Found, all_orders, an_order, order_of
from tests.unit.orders.model import Gateway, World, calm, passes

SMALL = World()
LARGE = World(most=3, nights=4, accidents=2, gateways=(Gateway(), Gateway()))
ORDERS, LENGTH = 400, 80  # that are drawn, and the events of each


@pytest.fixture(scope="module")
def found() -> Found:
    """Every world that one request at a time, one gateway and two nights can lead to."""
    return all_orders(SMALL)


@pytest.fixture(scope="module")
def rests(found: Found) -> dict[World, World]:
    """What each of them comes to where everything that has to happen happens, and one that comes to it."""
    return {alike(calm(world)): world for world in found}


def _awake(world: World) -> bool:
    """Whether it is still awake when a while has passed twice after all has come to rest."""
    for _ in range(3):
        world = passes(calm(world))
    return calm(world).deployment.replicas > 0


def test_there_are_orders_enough_for_this_to_mean_something(found: Found) -> None:
    assert len(found) > 5000
    assert {world.sleeps for world in found} >= {0, 1, 2}
    assert any(world.operator.deployment != world.deployment for world in found)


def test_in_every_order_who_waits_is_answered_in_the_end(found: Found, rests: dict[World, World]) -> None:
    for rest, world in rests.items():
        assert rest.requests == 0, order_of(found, world)


def test_in_every_order_a_wake_is_not_undone_while_its_request_waits(found: Found) -> None:
    for world in found:
        assert not world.undone, order_of(found, world)


def test_in_every_order_the_service_sleeps_again_when_nothing_comes(
    found: Found, rests: dict[World, World]
) -> None:
    for rest, world in rests.items():
        assert not _awake(rest), order_of(found, world)


@pytest.mark.parametrize("seed", range(4))
def test_with_two_gateways_lost_pods_and_new_operators_nobody_is_forsaken(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a plan, no secret
    for _ in range(ORDERS // 4):
        world, names = an_order(LARGE, chance, LENGTH)
        assert not world.undone, names
        after = calm(world)
        assert (after.requests, _awake(after)) == (0, False), names
