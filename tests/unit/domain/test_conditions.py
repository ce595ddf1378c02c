"""Conditions from pods, whatever a pod's status has in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.pods import condition, container, failing_pod, pod, ready_pod
from tests.unit.domain.strange_pods import PODS
from tidegate.api.crd import inference_service_crd
from tidegate.control.facts import worker_phase_facts
from tidegate.domain.causes import Cause, cause_of, refusal_cause, replica_failure
from tidegate.domain.conditions import Condition, conditions_of, settled_since, written
from tidegate.domain.draining import Draining
from tidegate.domain.limits import QueueLimit
from tidegate.domain.phases import Phase, PhaseFacts, phase_of
from tidegate.domain.start_stage import Stage
from tidegate.domain.workers import WorkerFacts, first_cause, worker_facts

Json = dict[str, Any]

LIMIT = QueueLimit(128, "Default")
DAY = 86400.0
ROOT = inference_service_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SCHEMA = ROOT["properties"]["status"]["properties"]["conditions"]


@given(st.lists(PODS, max_size=3), st.integers(0, 2), st.booleans(), PODS)
def test_conditions_are_valid_whatever_is_in_the_pods(
    pods: list[Json], wanted: int, suspended: bool, deployment: Json
) -> None:
    workers = [worker_facts(each, 900.0) for each in pods]
    cause = first_cause(workers) or replica_failure(deployment)
    facts = replace(worker_phase_facts(workers, wanted, cause, lambda found: found), suspended=suspended)
    conditions = written(conditions_of(phase_of(facts), facts, LIMIT), (), 1, now=0.0)
    jsonschema.validate(json.loads(json.dumps(conditions)), SCHEMA)
    assert all(each["reason"] and each["message"] for each in conditions)


DENIED = 'admission webhook "v.example" denied the request'


def test_a_pod_that_waits_for_a_readiness_gate_is_not_on_a_lost_node() -> None:
    gated = condition("Ready", "False", reason="ReadinessGatesNotReady")
    status = {"phase": "Running", "conditions": [gated, condition("ContainersReady", "True")]}
    assert cause_of(pod(status), 900.0) is None


def evicted(told: str) -> Json:
    return pod({"phase": "Failed", "reason": "Evicted", "message": told})


def test_a_pod_that_was_evicted_for_memory_says_so() -> None:
    found = cause_of(evicted("The node was low on resource: memory. Threshold quantity: 100Mi"), 900.0)
    assert found
    assert found.reason == "Evicted"
    assert found.message.startswith("the node ran out of memory: ")


@pytest.mark.parametrize(
    ("terminated", "reason", "said"),
    [
        ({"exitCode": 139, "reason": "Error"}, "EngineKilled", "signal 11 (SIGSEGV)"),
        ({"exitCode": 0, "signal": 6, "reason": "Error"}, "EngineKilled", "signal 6 (SIGABRT)"),
        ({"exitCode": 190, "reason": "Error"}, "EngineKilled", "signal 62"),
        ({"exitCode": 255, "reason": "Error"}, "EngineFailed", "exit code 255"),
    ],
)
def test_an_engine_that_a_signal_ended_names_it(terminated: Json, reason: str, said: str) -> None:
    found = cause_of(failing_pod(terminated), 900.0)
    assert found
    assert found.reason == reason
    assert said in found.message


def test_a_foreign_container_is_not_taken_for_the_engine() -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": "ModelNotFound: not an engine"}
    sidecar = container(state={"terminated": ended}) | {"name": "istio-proxy"}
    found = cause_of(pod({"containerStatuses": [sidecar]}), 900.0)
    assert found == Cause(
        "ContainerFailed", "the container istio-proxy ended with exit code 1: ModelNotFound: not an engine"
    )


def test_taints_of_every_node_are_named_with_the_field_that_tolerates_them() -> None:
    tainted = ", ".join(
        f"{n} node(s) had untolerated taint {{{t}}}" for n, t in ((2, "gpu: yes"), (1, "a: b"))
    )
    told = f"0/3 nodes are available: {tainted}."
    said = condition("PodScheduled", "False", reason="Unschedulable", message=told)
    found = cause_of(pod({"conditions": [said]}), 900.0)
    assert found
    assert found.reason == "Unschedulable"
    assert "placement.tolerations" in found.message


@pytest.mark.parametrize(
    ("message", "reason", "said"),
    [
        (f"{DENIED}: no latest", "WebhookDenied", "v.example denied it: no latest"),
        (f"{DENIED} without explanation", "WebhookDenied", "does not say why"),
        ('pods "x" is forbidden: failed quota: q: must specify limits.cpu', "QuotaExceeded", "limits.cpu"),
        ("something new", "FailedCreate", "something new"),
    ],
)
def test_who_refuses_is_named(message: str, reason: str, said: str) -> None:
    found = refusal_cause(message)
    assert found.reason == reason
    assert said in found.message


def lost(ended_at: float, name: str = "old") -> WorkerFacts:
    return WorkerFacts(
        name, ended_at - 100, node="n", ended=True, ended_at=ended_at, cause=Cause("Evicted", "full")
    )


def young(created: float) -> WorkerFacts:
    return WorkerFacts("new", created, node="n")


def test_a_pod_that_was_given_up_is_a_failure_until_another_tries() -> None:
    assert first_cause([lost(DAY)]) == Cause("Evicted", "full")
    assert first_cause([lost(DAY), young(DAY + 1)]) == Cause("Evicted", "full", failure=False)


def test_a_pod_that_was_given_up_long_ago_is_history() -> None:
    assert first_cause([lost(DAY), young(DAY + 61)]) is None
    assert first_cause([lost(DAY)], settled=DAY + 1) is None


def ready_since(status: str, at: str) -> list[Json]:
    return [condition("Ready", status, reason="x", message="") | {"lastTransitionTime": at}]


def test_whatever_ended_before_ready_was_true_is_settled_and_what_made_it_false_is_not() -> None:
    assert settled_since(ready_since("True", "1970-01-02T00:00:00Z")) == DAY
    assert settled_since(ready_since("False", "1970-01-02T00:00:00Z")) == DAY - 60
    assert settled_since([]) == 0.0


def facts(**given_facts: Any) -> PhaseFacts:
    return PhaseFacts(**({"suspended": False, "wanted": 1, "ready": 0, "remaining": 1} | given_facts))


def by_type(of: PhaseFacts) -> dict[str, Condition]:
    return {each.type: each for each in conditions_of(phase_of(of), of, LIMIT)}


def test_scheduled_names_the_cause_of_the_worker_without_a_node_not_of_another() -> None:
    full, broken = Cause("Unschedulable", "no gpu", failure=False), Cause("ModelNotFound", "gone")
    found = by_type(facts(wanted=2, remaining=2, cause=broken, unscheduled=1, unscheduled_cause=full))
    assert found["Scheduled"].reason == "Unschedulable"
    assert found["Ready"].reason == found["ModelLoaded"].reason == "ModelNotFound"


def test_on_one_machine_workers_wait_for_cores_and_have_them_and_nothing_is_said_of_nodes() -> None:
    waiting = by_type(facts(unscheduled=1, here=True))
    assert waiting["Scheduled"].message == "a worker waits for cores, memory or devices"
    assert waiting["ModelLoaded"].message == "a worker waits for cores, memory or devices"
    assert by_type(facts(here=True))["Scheduled"].message == "every worker has its cores and memory"
    begins = by_type(facts(stage=Stage.CREATING_CONTAINER, here=True))
    assert begins["ModelLoaded"].message == "the worker's process is about to be made"


def test_a_refusal_of_every_pod_is_why_none_is_scheduled() -> None:
    quota = Cause("QuotaExceeded", "gpu")
    found = worker_phase_facts([], 1, quota, lambda cause: cause)
    assert by_type(found)["Scheduled"].reason == "QuotaExceeded"


def test_a_rollout_that_breaks_beside_a_running_worker_is_the_reason_of_a_ready_service() -> None:
    pods = [ready_pod(), failing_pod({"message": "BadArgument: --foo"}, name="w-2")]
    workers = [worker_facts(each, 900.0) for each in pods]
    found = worker_phase_facts(workers, 1, first_cause(workers), lambda cause: cause)
    ready = by_type(found)["Ready"]
    assert phase_of(found) is Phase.RUNNING
    assert (ready.status, ready.reason) == ("True", "BadArgument")
    assert ready.message == "1 of 1 workers ready; BadArgument: --foo"


def test_the_gpu_of_a_draining_worker_is_told_while_the_service_stops_and_while_the_next_one_starts() -> None:
    draining = Draining(2, 0.0, devices=("nvidia.com/gpu",))
    told = "2 workers finish and hold their nvidia.com/gpu until 1970-01-01T00:00:00Z at most"
    assert (
        by_type(facts(wanted=0, draining=draining))["Ready"].message == f"{told}; the next request wakes one"
    )
    assert told in by_type(facts(draining=draining))["Ready"].message
