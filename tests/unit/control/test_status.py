from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.resources.services import service
from tidegate.control.facts import worker_phase_facts
from tidegate.control.status import Observation, blocked_status, only_queue, status_of, status_patch
from tidegate.controller.world import World
from tidegate.domain.causes import Cause
from tidegate.domain.isolation import Isolation
from tidegate.domain.limits import QueueLimit
from tidegate.domain.phases import PhaseFacts
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.workers import WorkerFacts

Json = dict[str, Any]

STARTED, NOW = 1_767_225_600.0, 1_767_225_700.0
WORKER = WorkerFacts("w-1", STARTED, node="n", guaranteed=True)
READY = replace(WORKER, ready_since=STARTED + 38)


def seen(wanted: int, *workers: WorkerFacts, depth: int = 0, reason: str = "Demand") -> Observation:
    ready = sum(1 for each in workers if each.ready)
    facts = PhaseFacts(suspended=False, wanted=wanted, ready=ready, remaining=len(workers))
    return Observation(
        facts=facts,
        workers=workers,
        limit=QueueLimit(128, "Default"),
        load=Load(waiting=depth),
        decision=ScaleDecision(wanted, reason, ""),
        isolation=Isolation.EXCLUSIVE if ready else None,
    )


def merged(status: Json, patch: Json) -> Json:
    """What the API server makes of a merge patch."""
    result = dict(status)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name) or {}, value)
        else:
            result[name] = value
    return result


def after(status: Json, observation: Observation, now: float = NOW) -> Json:
    wanted = status_of(service(), observation, status, now)
    return merged(status, status_patch(wanted, status))


def test_the_columns_of_kubectl_get_are_filled() -> None:
    status = after({}, seen(1, READY, depth=12))
    assert status["phase"] == "Running"
    assert status["ready"] == "1/1"
    assert status["queue"] == {"limit": 128, "source": "Default", "summary": "12/128"}
    assert status["model"] == "qwen"
    assert status["url"] == "http://qwen.team.svc.cluster.local/v1"
    assert status["isolation"] == "Exclusive"
    assert status["selector"] == "tidegate.io/inferenceservice=qwen"
    assert status["observedGeneration"] == 1


def test_the_url_has_the_gateways_port_unless_it_is_that_of_http() -> None:
    asleep = ScaleDecision(0, "Idle", "")
    elsewhere = World(128, gateway_port=8088).observation(service(), (), Load(), asleep, None)
    assert after({}, elsewhere)["url"] == "http://qwen.team.svc.cluster.local:8088/v1"
    assert after({}, replace(seen(0), gateway_port=80))["url"] == "http://qwen.team.svc.cluster.local/v1"


@given(
    st.lists(st.sampled_from([seen(0), seen(1), seen(1, WORKER), seen(1, READY), seen(0, READY)]), max_size=6)
)
def test_the_same_facts_never_write_twice(way: list[Observation]) -> None:
    status: Json = {}
    for step, observation in enumerate(way):
        status = after(status, observation, NOW + step)
        again = status_of(service(), observation, status, NOW + step + 1000)
        assert status_patch(again, status) == {}


def test_what_does_not_apply_any_more_goes() -> None:
    asleep = after(after({}, seen(1, READY)), seen(0))
    assert "isolation" not in asleep


def test_only_a_changed_depth_may_wait() -> None:
    status = after({}, seen(1, READY))
    deeper = status_patch(status_of(service(), seen(1, READY, depth=3), status, NOW), status)
    assert only_queue(deeper)
    assert not only_queue(status_patch(status_of(service(), seen(0), status, NOW), status))


def test_a_start_from_zero_is_counted_once_with_its_seconds() -> None:
    status = after(after({}, seen(0)), seen(1, WORKER))
    assert "coldStarts" not in status
    status = after(status, seen(1, READY))
    assert status["coldStarts"] == {
        "count": 1,
        "lastSeconds": "38.00",
        "lastWorker": "w-1",
        "lastTime": "2026-01-01T00:00:38.000000Z",
    }
    flapped = after(after(status, seen(1, WORKER)), seen(1, READY))
    assert flapped["coldStarts"]["count"] == 1
    second = replace(READY, name="w-2", created=STARTED + 500, ready_since=STARTED + 510)
    again = after(after(flapped, seen(0)), seen(1, second))
    assert again["coldStarts"] == {
        "count": 2,
        "lastSeconds": "10.00",
        "lastWorker": "w-2",
        "lastTime": "2026-01-01T00:08:30.000000Z",
    }


def test_the_scaling_reason_is_that_of_the_last_change() -> None:
    status = after({}, seen(0, reason="Idle"))
    woken = after(status, seen(1, WORKER, reason="Loading"), NOW + 5)
    assert woken["scaling"] == {
        "desired": 1,
        "previous": 0,
        "reason": "Woken",
        "message": "a request arrived, and a gateway woke the service",
        "since": "2026-01-01T00:01:45Z",
        "waiting": 0,
        "inFlight": 0,
        "ready": 0,
        "starting": 1,
    }
    assert after(woken, seen(1, READY, reason="Recent"), NOW + 50)["scaling"] == woken["scaling"]


BLOCKED = Cause("NameConflict", "in the way")


def blocked(status: Json, workers: tuple[WorkerFacts, ...], wanted: int, now: float = NOW) -> Json:
    raw: Json = {"metadata": {"generation": 4}, "status": status}
    facts = worker_phase_facts(workers, wanted, None, lambda cause: cause)
    return merged(status, status_patch(blocked_status(raw, BLOCKED, facts, now), status))


def condition(status: Json, kind: str) -> Json:
    return next(each for each in status["conditions"] if each["type"] == kind)


def test_a_blocked_service_says_why_and_goes_on_to_tell_what_its_pods_do() -> None:
    status = blocked(after({}, seen(1, READY)), (READY,), 1)
    assert (status["phase"], status["ready"], status["readyReplicas"]) == ("Failed", "1/1", 1)
    assert condition(status, "Ready")["reason"] == "NameConflict"
    assert condition(status, "ModelLoaded")["status"] == "True"
    gone = blocked(status, (), 1)
    assert (gone["ready"], gone["readyReplicas"], gone["replicas"]) == ("0/1", 0, 0)
    assert condition(gone, "ModelLoaded")["status"] == "False"
    assert blocked(gone, (), 1, NOW + 1000) == gone


def test_what_depends_on_the_spec_stands_while_it_cannot_be_obeyed_with_the_generation_it_is_about() -> None:
    before = after({}, seen(0))
    status = blocked(before, (), 0)
    assert status["url"] == before["url"]
    assert status["observedGeneration"] == 4
    assert condition(status, "QueueLimited") == condition(before, "QueueLimited")
    assert condition(status, "QueueLimited")["observedGeneration"] == 1
    assert condition(status, "Scheduled")["observedGeneration"] == 4


def test_who_raised_the_number_is_told_also_where_he_died_before_he_could() -> None:
    asleep = status_of(service(), seen(0, reason="Idle"), {}, NOW)
    three = status_of(service(), seen(3, WORKER, reason="Loading"), asleep, NOW)
    assert three["scaling"]["reason"] == "Demand"
    minimum = status_of(service(), seen(2, WORKER, reason="MinReplicas"), asleep, NOW)
    assert minimum["scaling"]["reason"] == "MinReplicas"


def test_what_goes_from_within_a_block_goes_from_the_stored_status_too() -> None:
    """The parts of two starts in one pass: what only the first one told must not stay beside the second's."""
    before = {"coldStarts": {"count": 1, "parts": {"api": "0.05", "image": "3.00", "container": "1.00"}}}
    wanted = {"coldStarts": {"count": 2, "parts": {"api": "0.07", "imageAndContainer": "1.20"}}}
    assert merged(before, status_patch(wanted, before)) == wanted
