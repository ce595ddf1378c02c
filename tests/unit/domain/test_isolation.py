from dataclasses import replace

import pytest

from tidegate.domain.between_looks import Between
from tidegate.domain.core_list import parse_cores
from tidegate.domain.evidence import Looks, Trouble, WorkerEvidence
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


def evidence(container: str, node: str = "0-7", quota: float | None = None) -> Looks:
    return Looks(WorkerEvidence(parse_cores(container), parse_cores(node), quota), answered=2)


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
    seen = Between(60.2, periods=600, throttled=12, stopped=0.34)
    looks = replace(evidence("2-3", quota=2.0), throttling=Trouble(seen, NOW - 30))
    found = verdict(looks)
    assert (found.status, found.reason, found.isolation) == ("False", "Throttled", Isolation.THROTTLED)
    assert found.message == (
        "w has cores 2-3 of a to itself, and its quota of 2 cores stopped it in 12 of 600 periods, for 0.3 s "
        "within 60 s"
    )
    bare = verdict(replace(evidence("2-3"), throttling=Trouble(Between(5, throttled=1), NOW)))
    assert bare.message.endswith("and its quota stopped it in 1 periods within 5 s")
    assert verdict(replace(looks, throttling=Trouble(seen, NOW - 601))).status == "True"


def test_a_quota_below_the_cores_is_told_before_it_stops_anything() -> None:
    found = verdict(evidence("2-3", quota=0.5))
    assert (found.status, found.reason, found.isolation) == ("False", "QuotaBelowCores", Isolation.THROTTLED)
    assert "a quota of no more than 0.5 of them" in found.message
    assert verdict(evidence("2-3", quota=1.99999)).status == "True"


def test_others_that_took_time_on_its_cores_are_told_with_what_it_cost() -> None:
    seen = Between(58.0, waited=9.5, used=40.0, others=12.0)
    looks = replace(evidence("2-3"), neighbours=Trouble(seen, NOW - 30))
    found = verdict(looks)
    assert (found.status, found.reason, found.isolation) == ("False", "Neighbours", Isolation.SHARED)
    assert (
        "others ran there for 12.0 s while its threads waited 9.5 s for a core and ran 40.0 s"
        in found.message
    )
    assert verdict(replace(looks, neighbours=Trouble(seen, NOW - 601))).status == "True"


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
