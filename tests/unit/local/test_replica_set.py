"""Which workers begin and which end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.cause import Cause
from tidegate.domain.workers import WorkerFacts
from tidegate.local.supervision.replica_set import Goal, Steps, next_steps


def worker(name: str, template: str = "a", *, ready: bool = True, **more: Any) -> WorkerFacts:
    fields = {"created": 0.0, "node": "here", "ready_since": 1.0 if ready else None, "template": template}
    return WorkerFacts(name, **{**fields, **more})


OLD, NEW = worker("old", "a"), worker("new", "b")


@pytest.mark.parametrize(
    ("goal", "workers", "steps"),
    [
        (Goal(0, "a", 1), [], Steps()),
        (Goal(1, "a", 1), [], Steps(begin=1)),
        (Goal(1, "a", 1), [OLD], Steps()),
        (Goal(0, "a", 1), [OLD], Steps(end=("old",))),
        (Goal(3, "a", 3), [OLD], Steps(begin=2)),
        (Goal(1, "a", 1), [worker("x", terminating=True)], Steps(begin=1)),
        (Goal(1, "a", 1), [worker("x", terminating=True), worker("y", terminating=True)], Steps()),
        (Goal(1, "a", 1), [worker("x", ended=True)], Steps(begin=1, end=("x",))),
        (Goal(1, "b", 1), [OLD], Steps(end=("old",))),
        (Goal(1, "b", 1), [worker("old", terminating=True)], Steps()),
        (Goal(1, "b", 1, surge=True), [OLD], Steps(begin=1)),
        (Goal(1, "b", 1, surge=True), [OLD, worker("new", "b", ready=False)], Steps()),
        (Goal(1, "b", 1, surge=True), [OLD, NEW], Steps(end=("old",))),
        (Goal(1, "b", 1, surge=True), [worker("old", ready=False)], Steps(begin=1, end=("old",))),
        (
            Goal(1, "b", 1, surge=True),
            [OLD, worker("new", "b", ready=False, node="", cause=Cause("Unschedulable", "full"))],
            Steps(end=("old",), no_room=True),
        ),
    ],
)
def test_what_is_due(goal: Goal, workers: list[WorkerFacts], steps: Steps) -> None:
    assert next_steps(goal, workers) == steps


def test_the_first_to_go_waits_for_a_node_then_is_not_ready_then_least_busy_then_young() -> None:
    workers = [
        worker("old", created=1.0),
        worker("young", created=2.0),
        worker("marked", created=0.0, deletion_cost=-1),
        worker("loading", ready=False),
        worker("pending", ready=False, node=""),
    ]
    order: list[str] = []
    for keep in range(4, -1, -1):
        (name,) = set(next_steps(Goal(keep, "a", 5), workers).end) - set(order)
        order.append(name)
    assert order == ["pending", "loading", "marked", "young", "old"]


WORKERS = st.lists(
    st.builds(
        worker,
        st.sampled_from([f"w-{number}" for number in range(9)]),
        st.sampled_from("ab"),
        ready=st.booleans(),
        terminating=st.booleans(),
        node=st.sampled_from(["", "here"]),
        created=st.floats(0, 9),
    ),
    max_size=6,
    unique_by=lambda each: each.name,
)


@given(st.integers(0, 3), st.integers(1, 3), st.booleans(), WORKERS)
def test_nobody_begins_beyond_one_more_than_the_most_and_nobody_ends_twice(
    replicas: int, most: int, surge: bool, workers: list[WorkerFacts]
) -> None:
    goal = Goal(min(replicas, most), "b", most, surge)
    steps = next_steps(goal, workers)
    assert steps.begin == 0 or len(workers) + steps.begin <= most + 1
    assert len(set(steps.end)) == len(steps.end)
    assert not {each.name for each in workers if each.terminating} & set(steps.end)


@given(st.integers(0, 3), st.booleans(), WORKERS)
def test_step_after_step_there_are_as_many_as_there_should_be(
    replicas: int, surge: bool, workers: list[WorkerFacts]
) -> None:
    """Between two steps what ends is gone, and what has begun is ready."""
    goal = Goal(replicas, "b", 3, surge)
    for round_ in range(20):
        steps = next_steps(goal, workers)
        stay = [each for each in workers if each.name not in steps.end and not each.terminating]
        stay = [worker(each.name, each.template) for each in stay]
        workers = stay + [worker(f"new-{round_}-{number}", "b") for number in range(steps.begin)]
    assert [each.template for each in workers] == ["b"] * replicas
