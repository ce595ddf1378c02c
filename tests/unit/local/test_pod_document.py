"""A worker told as a pod: what those who read pods read in it."""

from __future__ import annotations

from tests.unit.local.templates import new, placed, running
from tidegate.domain.start_stage import Stage
from tidegate.domain.workers import WorkerFacts, worker_facts
from tidegate.local.worker.pod_document import pod_document
from tidegate.local.worker.pod_state import End, PodState

DEADLINE = 900.0


def facts(state: PodState) -> WorkerFacts:
    return worker_facts(pod_document(state, "laptop"), DEADLINE)


def ended(state: PodState, code: int | None = 1, message: str = "", reason: str = "Error") -> PodState:
    return state.ended(End(1001.0, 1005.5, code, reason, message))


def test_one_without_room_is_unschedulable_in_the_words_of_this_machine_and_has_no_node() -> None:
    said = "it wants 3 cores to itself, and this machine has 2: lower resources.cpu"
    found = facts(new().refused(said))
    assert (found.node, found.stage) == ("", Stage.PENDING)
    assert found.cause is not None
    assert found.cause.reason == "Unschedulable"
    assert found.cause.message == said


def test_one_that_has_cores_has_a_node_and_an_address() -> None:
    found = facts(placed())
    assert (found.node, found.host, found.scheduled_since) == ("laptop", "127.84.0.1", 1000.0)
    assert (found.started, found.ready_since, found.cause) == (False, None, None)
    assert found.cores == 1


def test_one_whose_process_runs_is_loading() -> None:
    found = facts(running())
    assert (found.stage, found.started, found.started_since) == (Stage.LOADING, True, 1001.0)
    assert found.loading


def test_one_that_answers_is_ready_since_then() -> None:
    assert facts(running().answers(True, 1003.25)).ready_since == 1003.25


def test_one_that_answers_no_more_is_not_ready_and_nothing_says_that_its_node_is_lost() -> None:
    found = facts(running().answers(True, 1003.0).answers(False, 1010.0))
    assert found.ready_since is None
    assert found.cause is None


def test_the_first_end_begins_again_at_once_and_the_second_backs_off() -> None:
    once = ended(running(), message="ModelNotFound: /models/x is not there")
    again = facts(once)
    assert again.cause is not None
    assert (again.cause.reason, again.cause.failure) == ("ModelNotFound", False)
    second = once.begun(running().process)  # type: ignore[arg-type]
    assert facts(second).restarts == 1
    backing_off = facts(ended(second, message="ModelNotFound: /models/x is not there"))
    assert backing_off.cause is not None
    assert (backing_off.cause.message, backing_off.cause.failure) == ("/models/x is not there", True)


def test_a_signal_is_named() -> None:
    state = ended(ended(running(), 139).begun(running().process), 139, "last words")  # type: ignore[arg-type]
    cause = facts(state).cause
    assert cause is not None
    assert cause.reason == "EngineKilled"
    assert cause.message == "the engine was ended by signal 11 (SIGSEGV): last words"


def test_an_end_that_nobody_saw_has_no_exit_code() -> None:
    document = pod_document(ended(running(), None), "laptop")
    assert "exitCode" not in document["status"]["containerStatuses"][0]["lastState"]["terminated"]


def test_one_that_needed_too_much_memory_says_so() -> None:
    state = ended(ended(running(), 137, reason="OOMKilled").begun(running().process), 137, reason="OOMKilled")  # type: ignore[arg-type]
    cause = facts(state).cause
    assert cause is not None
    assert cause.reason == "OOMKilled"


def test_a_late_start_is_told_as_one() -> None:
    late = running().ended(End(1001.0, 1902.0, 143, "Error", ""))
    late = late.begun(running().process).ended(End(1001.0, 1902.0, 0, "Completed", "loading weights"))  # type: ignore[arg-type]
    cause = facts(late).cause
    assert cause is not None
    assert cause.reason == "StartupDeadlineExceeded"
    assert cause.message == "not ready within 900 s (startupDeadlineSeconds); loading weights"


def test_one_that_is_deleted_is_terminating_until_its_grace_is_over() -> None:
    found = facts(running().answers(True, 1002.0).deleted(1100.0).deleted(1120.0))
    assert found.terminating
    assert not found.ready
    assert found.gone_by == 1130.0


def test_one_that_was_given_up_has_ended_with_its_cause() -> None:
    found = facts(ended(running(), None, "OutOfMemory: 20 GiB are needed").given_up())
    assert found.ended
    assert not found.rejected
    assert found.cause is not None
    assert (found.cause.reason, found.cause.message) == ("OutOfMemory", "20 GiB are needed")


def test_guaranteed_is_who_the_kernel_holds_to_cores_and_memory() -> None:
    assert facts(running()).guaranteed
    for cores_by, memory_by in (("affinity", "cgroup"), ("cgroup", ""), ("", "cgroup")):
        state = placed()
        assert state.placement is not None
        placement = type(state.placement)(0.0, (1,), (), "127.84.0.1", cores_by, memory_by)
        assert not facts(state.placed(placement)).guaranteed


def test_tells_what_it_was_given() -> None:
    state = running()
    assert pod_document(state, "laptop")["metadata"]["annotations"] == {
        "tidegate.io/template": "abc",
        "tidegate.io/pid": "4711",
        "tidegate.io/cores": "1",
        "tidegate.io/cores-by": "cgroup",
        "tidegate.io/memory-by": "cgroup",
    }
