"""status.scaling: written when the number changes, and read back by whoever takes over."""

from dataclasses import replace
from typing import Any

from tidegate.api.memory import last_start, remembered
from tidegate.api.status import InferenceServiceStatus
from tidegate.control.scaling_status import figures_of, scaling_status
from tidegate.domain.autoscaler import Memory
from tidegate.domain.flapping import Flapping
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.workers import WorkerFacts

Json = dict[str, Any]

NOW = 1_767_225_700.0
READY = WorkerFacts("w-1", NOW - 100, ready_since=NOW - 60)
UP = ScaleDecision(3, "Demand", "60 requests wait or run, 24 for each worker", needed=3)
LOAD = Load(waiting=28, in_flight=32, execution_seconds=4.2512)


def written(decision: ScaleDecision, previous: Json, now: float = NOW) -> Json:
    told = scaling_status(decision, figures_of(LOAD, [READY]), previous, now)
    assert told is not None
    return told


def parsed(scaling: Json, **others: Json) -> InferenceServiceStatus:
    return InferenceServiceStatus.model_validate({"scaling": scaling, **others})


def test_a_change_is_told_with_the_figures_of_its_moment() -> None:
    assert written(UP, {"desired": 1}) == {
        "desired": 3,
        "previous": 1,
        "reason": "Demand",
        "message": "60 requests wait or run, 24 for each worker",
        "since": "2026-01-01T00:01:40Z",
        "waiting": 28,
        "inFlight": 32,
        "executionSeconds": "4.25",
        "needed": 3,
        "ready": 1,
        "starting": 0,
    }


def test_the_figures_stand_still_until_the_number_changes() -> None:
    before = written(UP, {"desired": 1})
    later = ScaleDecision(3, "Loading", "a worker still loads", needed=7)
    assert scaling_status(later, figures_of(Load(waiting=1), []), before, NOW + 50) == before


EXTERNAL = ScaleDecision(3, "External", "spec.replicas says so")
STAYS = ScaleDecision(3, "Recent", "idle, but not for long enough")


def test_who_decides_is_told_although_the_number_stays() -> None:
    theirs = written(EXTERNAL, written(UP, {"desired": 1}), NOW + 50)
    assert (theirs["desired"], theirs["reason"], theirs["since"]) == (3, "External", "2026-01-01T00:02:30Z")
    assert written(EXTERNAL, theirs, NOW + 60) == theirs
    ours = written(STAYS, theirs, NOW + 70)
    assert (ours["previous"], ours["desired"], ours["reason"]) == (3, 3, "TakenOver")
    assert ours["message"] == "tidegate decides from now on; as many workers were there"
    assert written(UP, ours, NOW + 80) == ours


def test_suspended_and_asleep_are_told_apart_at_zero() -> None:
    asleep = written(ScaleDecision(0, "Idle", "idle for 180 s"), {"desired": 1})
    suspended = written(ScaleDecision(0, "Suspended", "suspend is true"), asleep, NOW + 50)
    assert suspended["reason"] == "Suspended"
    again = written(ScaleDecision(0, "Idle", "the next request wakes it"), suspended, NOW + 60)
    assert (again["reason"], again["since"]) == ("Idle", "2026-01-01T00:02:40Z")


def test_what_is_remembered_of_flaps_follows_at_once_and_goes() -> None:
    before = written(UP, {"desired": 1})
    flapping = Flapping(wakes=4, start=40.0, idle_timeout=180, most=720)
    damped = written(replace(UP, flapping=flapping), before, NOW + 50)
    assert damped == before | {"flapping": {"wakes": 4, "idleTimeoutSeconds": 260}}
    assert written(UP, damped, NOW + 90) == before


def test_who_takes_over_reads_what_must_outlive_the_process() -> None:
    asleep = {"desired": 0, "previous": 1, "reason": "Idle", "since": "2026-01-01T00:01:40Z"}
    asleep["flapping"] = {"wakes": 3}
    assert remembered(parsed(asleep), Memory()) == Memory(wakes=3, asleep_since=NOW)
    assert remembered(parsed(asleep | {"desired": 1, "reason": "Woken"}), Memory()) == Memory(wakes=3)
    assert remembered(parsed(asleep | {"reason": "Suspended"}), Memory()) == Memory(wakes=3)
    assert remembered(None, Memory(wakes=9, asleep_since=1.0)) == Memory()


def test_a_service_that_may_wake_again_after_a_suspension_was_not_put_to_sleep_then() -> None:
    """A request right after it ends no short sleep."""
    suspended = written(ScaleDecision(0, "Suspended", "suspend is true"), {"desired": 1}, NOW - 900)
    resumed = written(ScaleDecision(0, "Idle", "the next request wakes it"), suspended)
    assert remembered(parsed(resumed), Memory()).asleep_since is None
    assert remembered(parsed(written(ScaleDecision(0, "Idle", ""), {})), Memory()).asleep_since is None


def test_how_long_a_start_takes_is_that_of_the_last_one_from_zero() -> None:
    assert last_start(parsed({}, coldStarts={"count": 2, "lastSeconds": "38.52"})) == 38.52
    assert last_start(parsed({}, coldStarts={"lastSeconds": "soon"})) is None
    assert last_start(None) is None
