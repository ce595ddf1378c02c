from typing import Any

import pytest

from tests.unit.domain.pods import Json, condition, container, failing_pod, pod, ready_pod
from tidegate.domain.causes import Cause, cause_of, replica_failure
from tidegate.domain.phases import Phase, PhaseFacts, phase_of
from tidegate.domain.workers import first_cause, worker_facts

DEADLINE = 900.0


def cause(of: Json) -> Cause:
    found = cause_of(of, DEADLINE)
    assert found is not None
    return found


def ended(**terminated: Any) -> Json:
    return failing_pod({"exitCode": 1, "reason": "Error", **terminated})


def test_the_engines_own_line_is_reason_and_message() -> None:
    found = cause(ended(message="ModelNotFound: /models/none has no config.json\n"))
    assert found == Cause("ModelNotFound", "/models/none has no config.json")


def of_the_cache(before: Json, **state: Any) -> Json:
    """A pod whose model could not be fetched; ``state``: what the container does now."""
    status = {"name": "cache", "ready": False, "state": state, "lastState": {"terminated": before}}
    return pod({"phase": "Pending", "initContainerStatuses": [status]})


def test_why_a_model_is_not_in_the_cache_is_told_in_the_init_containers_own_word() -> None:
    end = {"exitCode": 1, "reason": "Error", "message": "CacheFull: the claim a has no space left\n"}
    told = Cause("CacheFull", "the claim a has no space left")
    assert cause(of_the_cache(end, waiting={"reason": "CrashLoopBackOff"})) == told
    assert cause(of_the_cache({}, terminated=end)) == told
    again = cause(of_the_cache(end, running={"startedAt": "2026-01-01T00:00:00Z"}))
    assert (again.reason, again.failure) == ("CacheFull", False)


def test_another_init_container_names_no_cause_and_a_filler_without_words_is_named() -> None:
    end = {"exitCode": 1, "reason": "Error", "message": "CacheFull: no\n"}
    other = of_the_cache({}, terminated=end)
    other["status"]["initContainerStatuses"][0]["name"] = "other"
    assert cause(other).reason == "InitContainerFailed"
    wordless = cause(of_the_cache({}, terminated={**end, "message": "python3: can't open file"}))
    assert wordless.message == "the init container cache ended with exit code 1: python3: can't open file"
    assert cause(of_the_cache({}, terminated={"reason": "OOMKilled"})).reason == "OOMKilled"


def test_of_a_whole_log_the_last_line_counts() -> None:
    assert cause(ended(message="INFO start\n\nBadArgument: --foo is unknown\n  \n")).reason == "BadArgument"


def test_a_line_that_is_not_the_engines_is_shown_with_the_exit_code() -> None:
    found = cause(ended(exitCode=3, message="Traceback: no\nsegmentation fault"))
    assert found == Cause("EngineFailed", "the engine ended with exit code 3: segmentation fault")


def test_an_engine_that_ends_well_has_ended_nevertheless() -> None:
    assert cause(ended(exitCode=0, reason="Completed")).reason == "EngineExited"


def test_a_killed_engine_needed_more_memory_than_it_was_given() -> None:
    assert cause(ended(reason="OOMKilled", message="OutOfMemory: x")).reason == "OOMKilled"


def test_what_the_worker_says_of_the_memory_limit_is_more_than_its_kubelet_knows() -> None:
    found = cause(ended(reason="OOMKilled", message="OOMKilled: killed at the memory limit of 6.0 GiB\n"))
    assert found == Cause("OOMKilled", "killed at the memory limit of 6.0 GiB")


def test_an_engine_that_ran_for_the_whole_deadline_was_too_slow() -> None:
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:15:01Z"}
    found = cause(ended(exitCode=137, **times))
    assert found.reason == "StartupDeadlineExceeded"
    assert "startupDeadlineSeconds" in found.message


def test_how_far_a_start_was_that_took_too_long_is_said() -> None:
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:15:04Z"}
    said = "the engine was loading the model when it was told to stop\n"
    found = cause(ended(exitCode=0, reason="Completed", message=said, **times))
    assert found == Cause(
        "StartupDeadlineExceeded", f"not ready within 900 s (startupDeadlineSeconds); {said[:-1]}"
    )


@pytest.mark.parametrize(("code", "finished"), [(139, "2026-01-01T00:15:04Z"), (137, "2026-01-01T09:00:00Z")])
def test_a_signal_that_ends_an_engine_long_after_its_start_or_is_its_own_is_no_late_start(
    code: int, finished: str
) -> None:
    found = cause(ended(exitCode=code, startedAt="2026-01-01T00:00:00Z", finishedAt=finished))
    assert found.reason == "EngineKilled"


def again(state: Json, *, started: bool = False) -> Json:
    """A pod whose engine was killed, and is started once more."""
    statuses = [
        container(restarts=1, state=state, lastState={"terminated": {"reason": "OOMKilled"}})
        | {"started": started}
    ]
    return pod({"phase": "Running", "containerStatuses": statuses})


@pytest.mark.parametrize("state", [{"running": {}}, {"waiting": {"reason": "ContainerCreating"}}])
def test_an_engine_that_is_started_again_names_what_ended_it_and_loads(state: Json) -> None:
    found = cause(again(state))
    assert found.reason == "OOMKilled"
    assert not found.failure
    facts = worker_facts(again(state), DEADLINE)
    assert facts.loading
    waits = PhaseFacts(suspended=False, wanted=1, ready=0, remaining=1, cause=first_cause([facts]))
    assert phase_of(waits) is Phase.STARTING


def test_an_engine_that_backs_off_does_not_load() -> None:
    facts = worker_facts(ended(reason="OOMKilled"), DEADLINE)
    assert not facts.loading
    assert facts.cause
    assert facts.cause.failure


def test_readiness_that_is_lost_for_a_moment_is_no_failure_however_the_engine_once_ended() -> None:
    blip = again({"running": {}}, started=True)
    assert cause_of(blip, DEADLINE) is None
    assert worker_facts(blip, DEADLINE).loading


def test_a_worker_that_finds_no_node_does_not_load() -> None:
    unscheduled = pod({"conditions": [condition("PodScheduled", "False", reason="Unschedulable")]})
    unscheduled["spec"] = {}
    assert not worker_facts(unscheduled, DEADLINE).loading


def test_nothing_is_wrong_with_a_first_start_or_a_ready_worker() -> None:
    creating = {"containerStatuses": [container(state={"waiting": {"reason": "ContainerCreating"}})]}
    for fine in (pod(), pod(creating), ready_pod()):
        assert cause_of(fine, DEADLINE) is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [("ErrImagePull", "ImagePullBackOff"), ("CreateContainerConfigError", "CreateContainerConfigError")],
)
def test_what_the_kubelet_waits_for_is_the_cause(said: str, reason: str) -> None:
    state = {"waiting": {"reason": said, "message": "no such thing"}}
    found = cause(pod({"containerStatuses": [container(state=state)]}))
    assert found == Cause(reason, "no such thing")


def test_the_scheduler_names_the_resource_that_is_missing() -> None:
    message = (
        "0/2 nodes are available: 1 Insufficient cpu, 2 Insufficient nvidia.com/gpu. "
        "preemption: 0/2 nodes are available: 2 No preemption victims found."
    )
    found = cause(
        pod({"conditions": [condition("PodScheduled", "False", reason="Unschedulable", message=message)]})
    )
    assert found.reason == "Unschedulable"
    assert found.message.startswith("no node has enough cpu and nvidia.com/gpu left: 0/2 nodes")
    assert "preemption" not in found.message
    assert not found.failure


def test_a_rejected_or_evicted_pod_says_why() -> None:
    found = cause(pod({"phase": "Failed", "reason": "SMTAlignmentError", "message": "not aligned"}))
    assert found == Cause("SMTAlignmentError", "not aligned")


def test_a_quota_that_forbids_pods_is_named() -> None:
    refused = condition(
        "ReplicaFailure", "True", reason="FailedCreate", message="forbidden: exceeded quota: gpu"
    )
    found = replica_failure({"status": {"conditions": [refused]}})
    assert found
    assert found.reason == "QuotaExceeded"
    assert replica_failure({"status": {"conditions": [condition("ReplicaFailure", "False")]}}) is None


def test_a_failure_comes_before_a_wait_and_an_ending_pod_counts_for_nothing() -> None:
    waits = pod({"conditions": [condition("PodScheduled", "False", reason="Unschedulable", message="full")]})
    fails = ended(message="ModelNotFound: gone")
    facts = [worker_facts(each, DEADLINE) for each in (waits, fails)]
    found = first_cause(facts)
    assert found
    assert found.reason == "ModelNotFound"
    ending = failing_pod({"message": "ModelNotFound: x"}, deletionTimestamp="2026-01-01T00:01:00Z")
    assert first_cause([worker_facts(ending, DEADLINE)]) is None


def test_a_terminating_worker_is_not_ready_whatever_its_condition_says() -> None:
    facts = worker_facts(ready_pod(deletionTimestamp="2026-01-01T00:01:00Z"), DEADLINE)
    assert not facts.ready
    assert not facts.loading
    assert worker_facts(ready_pod(), DEADLINE).ready
