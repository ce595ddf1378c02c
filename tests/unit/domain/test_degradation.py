"""Which limit of tokens holds at which depth, and when it takes the place of a request's own."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.domain.degradation import Degradation, Step, default_steps, lowered

STEPS = (Step(32, 128), Step(64, 96), Step(96, 64))


@pytest.mark.parametrize(
    ("depth", "tier"), [(0, 0), (1, 0), (32, 0), (33, 1), (64, 1), (65, 2), (96, 2), (97, 3), (1000, 3)]
)
def test_a_step_holds_beyond_its_depth(depth: int, tier: int) -> None:
    assert Degradation(200, STEPS).tier(depth) == tier


def test_each_tier_has_its_limit_and_the_cap_holds_below_the_first() -> None:
    assert [Degradation(200, STEPS).limit(tier) for tier in range(4)] == [200, 128, 96, 64]
    assert Degradation(None, STEPS).limit(0) is None
    assert Degradation(200, ()).limit(Degradation(200, ()).tier(1000)) == 200


@pytest.mark.parametrize(
    ("max_depth", "above"), [(128, [32, 64, 96]), (100, [25, 50, 75]), (10, [3, 5, 8]), (3, [1, 2, 3])]
)
def test_the_default_steps_are_quarters_of_the_limit_rounded_up(max_depth: int, above: list[int]) -> None:
    assert default_steps(max_depth, None) == tuple(map(Step, above, (128, 96, 64)))


def test_a_lone_request_is_never_degraded_by_the_default_steps() -> None:
    for max_depth in range(1, 300):
        assert Degradation(None, default_steps(max_depth, None)).tier(1) == 0


def test_no_default_step_allows_more_than_the_cap() -> None:
    assert [step.max_tokens for step in default_steps(128, 100)] == [100, 96, 64]


@pytest.mark.parametrize("own", [None, 129, 1e3, "129", "1e3", 10**400, float("inf")])
def test_a_larger_limit_or_none_is_lowered(own: Any) -> None:
    assert lowered(own, 128)


@pytest.mark.parametrize("own", [128, 5, 0, -1, 5.0, "7", True, "many", [], {"a": 1}])
def test_a_smaller_limit_stands_and_so_does_what_is_no_number(own: Any) -> None:
    assert not lowered(own, 128)
