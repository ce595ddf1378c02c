"""All worlds that can come of one, and the order of events that led to each."""

from __future__ import annotations

import random
from collections import deque

from tests.unit.orders.alike import alike
from tests.unit.orders.model import World, steps

Found = dict[World, tuple[World, str] | None]  # a world, and what it came of


def all_orders(start: World) -> Found:
    """Every world that any order of events leads to, up to those that go on alike."""
    found: Found = {alike(start): None}
    open_ends = deque(found)
    while open_ends:
        world = open_ends.popleft()
        if world.undone:
            continue  # wrong already: what follows proves nothing
        for name, following in steps(world):
            after = alike(following)
            if after not in found:
                found[after] = (world, name)
                open_ends.append(after)
    return found


def order_of(found: Found, world: World) -> str:
    """The shortest order of events that leads to a world, to be played again."""
    names = []
    while (before := found[world]) is not None:
        world, name = before
        names.append(name)
    return ", ".join(names[::-1])


def an_order(start: World, chance: random.Random, length: int) -> tuple[World, list[str]]:
    """The world after so many events that were drawn, and their names."""
    world, names = start, []
    for _ in range(length):
        name, world = chance.choice([*steps(world)])
        names.append(name)
    return world, names
