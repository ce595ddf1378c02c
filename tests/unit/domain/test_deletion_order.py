"""Which workers of a surplus go first."""

from __future__ import annotations

import math
import random

from tidegate.domain.deletion_order import LOWEST_COST, Candidate, cost_of, costs_to_write


def workers(*active: float, costs: tuple[int, ...] = ()) -> list[Candidate]:
    """Workers a, b, c … that are so busy, with these costs."""
    given = costs or (0,) * len(active)
    return [Candidate(chr(97 + place), given[place], each) for place, each in enumerate(active)]


def first_to_go(candidates: list[Candidate], leave: int) -> set[str]:
    """Whom a ReplicaSet deletes of them, where costs are all that differs: the worst of the ties."""
    written = costs_to_write(candidates, leave)
    cost = {each.name: written.get(each.name, each.cost) for each in candidates}
    ranked = sorted(candidates, key=lambda each: (cost[each.name], -each.active))
    return {each.name for each in ranked[:leave]}


def test_the_least_busy_are_marked_and_nobody_else() -> None:
    assert costs_to_write(workers(9, 0, 4), 2) == {"b": -1, "c": -1}
    assert costs_to_write(workers(9, 0, 4), 1) == {"b": -1}


def test_nothing_is_written_where_all_are_as_busy() -> None:
    assert costs_to_write(workers(4, 4, 4), 2) == {}


def test_nothing_is_written_where_all_or_none_go() -> None:
    assert costs_to_write(workers(9, 0), 2) == {}
    assert costs_to_write(workers(9, 0), 0) == {}
    assert costs_to_write(workers(9, 0), -1) == {}


def test_nothing_is_written_where_the_costs_say_it_already() -> None:
    assert costs_to_write(workers(9, 0, 4, costs=(0, -1, 0)), 1) == {}


def test_a_mark_that_an_earlier_decrease_left_behind_is_outdone() -> None:
    assert costs_to_write(workers(9, 0, 4, costs=(-1, 0, 0)), 1) == {"b": -2}


def test_a_cost_that_all_pods_have_from_their_template_is_the_base() -> None:
    assert costs_to_write(workers(9, 0, costs=(100, 100)), 1) == {"b": 99}


def test_a_worker_that_does_not_tell_is_not_taken_for_idle() -> None:
    assert costs_to_write(workers(math.inf, 30), 1) == {"b": -1}
    assert costs_to_write(workers(math.inf, math.inf), 1) == {}


def test_below_the_lowest_cost_there_is_nothing_to_write() -> None:
    assert costs_to_write(workers(9, 0, costs=(LOWEST_COST, 0)), 1) == {}


def test_whatever_is_there_before_those_that_go_are_never_busier_than_those_that_stay() -> None:
    chance = random.Random(7)  # noqa: S311 - a seed, no secret
    for _ in range(2000):
        count = chance.randrange(2, 7)
        active = [chance.randrange(4) for _ in range(count)]
        costs = tuple(chance.randrange(-2, 3) for _ in range(count))
        candidates, leave = workers(*active, costs=costs), chance.randrange(1, count)
        if len(set(active)) == 1:
            continue
        gone = first_to_go(candidates, leave)
        stayed = [each.active for each in candidates if each.name not in gone]
        assert max(each.active for each in candidates if each.name in gone) <= min(stayed)
        assert len(costs_to_write(candidates, leave)) <= leave


def test_a_cost_is_read_as_kubernetes_reads_it() -> None:
    assert [cost_of(each) for each in (None, "-3", "100", "many", "")] == [0, -3, 100, 0, 0]
