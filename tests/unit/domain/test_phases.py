from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.causes import Cause
from tidegate.domain.conditions import conditions_of, remembered_cause, written
from tidegate.domain.limits import QueueLimit
from tidegate.domain.phases import Phase, PhaseFacts, phase_of

BROKEN = Cause("ModelNotFound", "gone")
FULL = Cause("Unschedulable", "no node", failure=False)
LIMIT = QueueLimit(128, "Default")

FACTS = st.builds(
    PhaseFacts,
    suspended=st.booleans(),
    wanted=st.integers(0, 3),
    ready=st.integers(0, 3),
    remaining=st.integers(0, 3),
    cause=st.sampled_from([None, BROKEN, FULL]),
    remembered=st.sampled_from([None, BROKEN]),
).filter(lambda facts: facts.ready <= facts.remaining)


def facts(**given_facts: object) -> PhaseFacts:
    return PhaseFacts(**{("suspended"): False, ("wanted"): 0, ("ready"): 0, ("remaining"): 0, **given_facts})  # type: ignore[arg-type]


def test_a_service_goes_from_idle_to_running_and_back() -> None:
    way = [
        facts(),
        facts(wanted=1),
        facts(wanted=1, remaining=1),
        facts(wanted=1, remaining=1, ready=1),
        facts(remaining=1),
        facts(),
    ]
    names = ["Idle", "Starting", "Starting", "Running", "Stopping", "Idle"]
    assert [str(phase_of(each)) for each in way] == names


def test_waiting_for_a_node_is_starting_and_a_failed_engine_is_failed() -> None:
    assert phase_of(facts(wanted=1, remaining=1, cause=FULL)) is Phase.STARTING
    assert phase_of(facts(wanted=1, remaining=1, cause=BROKEN)) is Phase.FAILED


def test_one_ready_worker_is_running_whatever_is_wrong_with_another() -> None:
    assert phase_of(facts(wanted=2, remaining=2, ready=1, cause=BROKEN)) is Phase.RUNNING


def test_a_failed_start_is_remembered_only_while_nothing_is_wanted() -> None:
    assert phase_of(facts(remembered=BROKEN)) is Phase.FAILED
    assert phase_of(facts(wanted=1, remembered=BROKEN)) is Phase.STARTING


def test_a_suspended_service_stops_first() -> None:
    assert phase_of(facts(suspended=True, remaining=1)) is Phase.STOPPING
    assert phase_of(facts(suspended=True, remembered=BROKEN)) is Phase.SUSPENDED


@given(FACTS)
def test_a_phase_never_promises_what_is_not_there(each: PhaseFacts) -> None:
    phase = phase_of(each)
    if phase is Phase.RUNNING:
        assert each.ready
        assert each.wanted
    if phase in (Phase.IDLE, Phase.SUSPENDED):
        assert not each.remaining
    if phase is Phase.FAILED:
        assert each.cause or each.remembered
    if phase is Phase.SUSPENDED:
        assert each.suspended


@given(FACTS)
def test_ready_is_true_exactly_where_a_request_would_be_answered(each: PhaseFacts) -> None:
    phase = phase_of(each)
    ready = conditions_of(phase, each, LIMIT)[0]
    serves = phase in (Phase.IDLE, Phase.RUNNING) or (phase is Phase.STOPPING and not each.suspended)
    assert (ready.status == "True") == serves
    assert ready.reason
    assert ready.message


@given(FACTS, FACTS, st.integers(1, 5))
def test_a_transition_time_moves_only_with_the_status(
    first: PhaseFacts, second: PhaseFacts, gen: int
) -> None:
    before = written(conditions_of(phase_of(first), first, LIMIT), (), gen, now=1000.0)
    after = written(conditions_of(phase_of(second), second, LIMIT), before, gen, now=2000.0)
    for old, new in zip(before, after, strict=True):
        moved = old["lastTransitionTime"] != new["lastTransitionTime"]
        assert moved == (old["status"] != new["status"])


@given(FACTS)
def test_the_same_facts_write_the_same_conditions(each: PhaseFacts) -> None:
    conditions = conditions_of(phase_of(each), each, LIMIT)
    before = written(conditions, (), 3, now=1000.0)
    assert written(conditions, before, 3, now=9999.0) == before


def test_the_cause_of_a_failed_start_is_read_back_until_the_spec_changes() -> None:
    failed = facts(wanted=1, remaining=1, cause=BROKEN)
    status = written(conditions_of(Phase.FAILED, failed, LIMIT), (), 3, now=0.0)
    assert remembered_cause(status, 3) == BROKEN
    assert remembered_cause(status, 4) is None
    asleep = facts(remembered=BROKEN)
    again = written(conditions_of(Phase.FAILED, asleep, LIMIT), status, 3, now=60.0)
    assert remembered_cause(again, 3) == BROKEN


def test_a_mere_state_is_not_taken_for_a_cause() -> None:
    starting = facts(wanted=1)
    status = written(conditions_of(Phase.STARTING, starting, LIMIT), (), 3, now=0.0)
    assert remembered_cause(status, 3) is None
