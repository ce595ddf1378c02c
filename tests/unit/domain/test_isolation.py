from dataclasses import replace

import pytest

from tidegate.domain.core_list import parse_cores
from tidegate.domain.evidence import Looks, WorkerEvidence
from tidegate.domain.isolation import (
    NO_WORKERS,
    Isolation,
    NodePolicy,
    Seen,
    Verdict,
    isolation_of,
    judge,
)
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


NOW = 1000.0
READY = replace(WORKER, ready_since=10.0, cores=2)
STATIC = NodePolicy("static")


def evidence(container: str, node: str = "0-7") -> Looks:
    return Looks(WorkerEvidence(parse_cores(container), parse_cores(node), 0), answered=2)


def verdict(looks: Looks | None, node: NodePolicy = STATIC, worker: WorkerFacts = READY) -> Verdict:
    found = judge([Seen(worker, node, looks)], NOW)
    assert found is not None
    return found


def test_exactly_the_cores_it_asked_for_on_a_static_node_are_its_own() -> None:
    found = verdict(evidence("2-3"))
    assert (found.status, found.reason) == ("True", "Exclusive")
    assert found.message == "w has cores 2-3 of a to itself"
    assert found.isolation is Isolation.EXCLUSIVE


@pytest.mark.parametrize(
    ("container", "node", "policy", "reason"),
    [
        ("0-7", "0-7", NodePolicy("static"), "SharedCores"),
        ("0-1", "0-1", NodePolicy("static"), "SharedCores"),  # as many as asked for, but all there are
        ("2-4", "0-7", NodePolicy("none"), "SharedCores"),
        ("0-7", "0-7", NodePolicy("static", administrators=True), "LabelContradicted"),
        ("3", "0-7", NodePolicy("static"), "FewerCores"),
    ],
)
def test_other_cores_than_asked_for_are_not_isolated(
    container: str, node: str, policy: NodePolicy, reason: str
) -> None:
    found = verdict(evidence(container, node), policy)
    assert (found.status, found.reason) == ("False", reason)
    assert "w may run on cores" in found.message


@pytest.mark.parametrize("policy", [None, "none", "unknown"])
def test_the_right_number_of_cores_proves_nothing_on_a_node_that_is_not_static(policy: str | None) -> None:
    found = verdict(evidence("2-3"), NodePolicy(policy))
    assert (found.status, found.reason, found.isolation) == ("Unknown", "NotStatic", None)


def test_a_container_that_was_injected_is_named() -> None:
    worker = replace(READY, guaranteed=False, strangers=("istio-proxy",))
    found = verdict(evidence("2-3"), worker=worker)
    assert (found.status, found.reason) == ("False", "NotGuaranteed")
    assert "istio-proxy" in found.message
    changed = verdict(None, worker=replace(READY, guaranteed=False))
    assert "its requests or limits" in changed.message


def test_throttled_periods_that_grew_are_told_with_their_number() -> None:
    looks = replace(evidence("2-3"), throttled_by=12, throttled_at=NOW - 30)
    found = verdict(looks)
    assert (found.status, found.reason, found.isolation) == ("False", "Throttled", Isolation.THROTTLED)
    assert "12 periods" in found.message
    assert verdict(replace(looks, throttled_at=NOW - 601)).status == "True"


def test_an_image_that_tells_nothing_leaves_it_unknown() -> None:
    found = verdict(Looks(missed=1))
    assert (found.status, found.reason) == ("Unknown", "NoEvidence")
    assert judge([], NOW) == NO_WORKERS


def test_while_a_look_is_under_way_nothing_is_concluded_but_what_is_known_to_be_wrong() -> None:
    good = Seen(READY, STATIC, evidence("2-3"))
    pending = replace(evidence("2-3"), answered=1)
    for looks in (None, Looks(), pending):
        assert judge([good, Seen(READY, STATIC, looks)], NOW) is None
    bad = Seen(READY, STATIC, evidence("0-7"))
    found = judge([good, Seen(READY, STATIC, None), bad], NOW)
    assert found
    assert found.reason == "SharedCores"


def test_the_worst_worker_speaks_and_many_are_counted() -> None:
    good, unknown = Seen(READY, STATIC, evidence("2-3")), Seen(READY, STATIC, Looks(missed=1))
    bad = [Seen(replace(READY, name=f"w-{n}"), STATIC, evidence("0-7")) for n in range(5)]
    assert (judge([good, unknown], NOW) or NO_WORKERS).reason == "NoEvidence"
    found = judge([good, unknown, *bad], NOW)
    assert found
    assert found.reason == "SharedCores"
    assert found.message.count("may run on") == 3
    assert found.message.endswith("and 2 more")
