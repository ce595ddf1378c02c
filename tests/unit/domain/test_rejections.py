from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.pods import pod
from tidegate.domain.causes import Cause
from tidegate.domain.rejections import ATTEMPT_SECONDS, FIRST_SECONDS, LONGEST_SECONDS, back_off
from tidegate.domain.workers import WorkerFacts, first_cause, worker_facts

T = 1_767_225_600.0
SAID = Cause("UnexpectedAdmissionError", "Pod was rejected: not enough cpus available")
REJECTED = WorkerFacts("w", T, node="node-1", ended=True, rejected=True, template="a", cause=SAID)


def attempt(at: float, count: int = 2) -> list[WorkerFacts]:
    return [replace(REJECTED, name=f"w-{at}-{n}", created=at) for n in range(count)]


def test_one_rejection_is_a_core_that_is_just_being_freed() -> None:
    assert back_off([REJECTED], "a") is None


def test_the_second_one_ends_the_attempt_with_the_kubelets_own_words() -> None:
    found = back_off(attempt(T), "a")
    assert found
    assert (found.until, found.attempts) == (T + 30, 1)
    assert found.cause.reason == "UnexpectedAdmissionError"
    assert "node-1 rejects the workers: Pod was rejected: not enough cpus available" in found.cause.message


def test_each_attempt_doubles_the_pause_up_to_half_an_hour() -> None:
    pods, at, pauses = [], T, []
    for _ in range(8):
        pods += attempt(at)
        found = back_off(pods, "a")
        assert found
        pauses.append(found.until - at)
        at = found.until + 1
    assert pauses == [30, 60, 120, 240, 480, 960, 1800, 1800]


def test_how_many_were_made_before_anybody_could_act_changes_nothing() -> None:
    few, many = back_off(attempt(T, 2), "a"), back_off(attempt(T, 40), "a")
    assert few
    assert many
    assert few.until == many.until


def test_another_template_and_an_hour_of_peace_begin_anew() -> None:
    assert back_off(attempt(T), "b") is None
    found = back_off([*attempt(T), *attempt(T + 3601)], "a")
    assert found
    assert found.attempts == 1


def test_workers_that_run_or_failed_by_themselves_are_no_rejections() -> None:
    own = [replace(REJECTED, rejected=False, name=f"{n}") for n in range(9)]
    assert back_off(own, "a") is None


@given(st.lists(st.integers(0, 200_000), max_size=40), st.randoms(use_true_random=False))
def test_the_pause_depends_on_the_pods_alone_and_stays_within_its_bounds(
    offsets: list[int], random: object
) -> None:
    pods = [replace(REJECTED, name=f"w-{n}", created=T + each) for n, each in enumerate(offsets)]
    found = back_off(pods, "a")
    assert back_off(list(reversed(pods)), "a") == found
    if found is None:
        return
    last = max(each.created for each in pods)
    assert FIRST_SECONDS <= found.until - last <= LONGEST_SECONDS
    assert found.until > last + ATTEMPT_SECONDS  # so a try after the pause is an attempt of its own
    later = [*pods, *attempt(found.until + 1)]
    after = back_off(later, "a")
    assert after
    assert after.attempts == found.attempts + 1


def test_a_rejected_pod_is_told_from_its_status_and_is_nobodys_cause_any_more() -> None:
    status = {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected"}
    facts = worker_facts(pod(status), 900)
    assert facts.rejected
    assert first_cause([facts]) is None
    ran = {"phase": "Failed", "reason": "Evicted", "containerStatuses": [{"containerID": "containerd://1"}]}
    assert not worker_facts(pod(ran), 900).rejected
    assert not worker_facts(pod({"phase": "Failed"}), 900).rejected
