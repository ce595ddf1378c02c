from dataclasses import replace

import pytest

from tidegate.domain.causes import Cause
from tidegate.domain.isolation import Isolation, isolation_of, no_static_node
from tidegate.domain.workers import WorkerFacts

WORKER = WorkerFacts("w", 0.0, node="a", guaranteed=True)


@pytest.mark.parametrize(
    ("policy", "isolation"),
    [
        ("static", Isolation.EXCLUSIVE),
        ("none", Isolation.SHARED),
        ("unknown", Isolation.UNKNOWN),
        (None, Isolation.UNKNOWN),
    ],
)
def test_a_guaranteed_workers_cores_are_what_its_node_gives(policy: str | None, isolation: Isolation) -> None:
    assert isolation_of([WORKER], {"a": policy}.get) is isolation


def test_without_guaranteed_there_are_no_exclusive_cores() -> None:
    assert isolation_of([replace(WORKER, guaranteed=False)], lambda _: "static") is Isolation.SHARED


def test_the_weakest_worker_speaks_for_all_and_none_for_nobody() -> None:
    mixed = [WORKER, replace(WORKER, node="b")]
    assert isolation_of(mixed, {"a": "static", "b": "none"}.get) is Isolation.SHARED
    assert isolation_of([], lambda _: "static") is None
    assert isolation_of([replace(WORKER, node="")], lambda _: "static") is None


def test_required_without_a_static_node_says_how_to_get_one() -> None:
    full = Cause("Unschedulable", "0/1 nodes", failure=False)
    found = no_static_node(full, required=True, any_static=False)
    assert found
    assert found.reason == "NoStaticNode"
    assert "cpuManagerPolicy: static" in found.message
    assert no_static_node(full, required=True, any_static=True) is full
    assert no_static_node(full, required=False, any_static=False) is full
    assert no_static_node(None, required=True, any_static=False) is None
