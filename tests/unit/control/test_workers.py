"""Reading a pod as a worker."""

from typing import Any

import pytest

from tidegate.control.workers import service_of, worker_from_pod
from tidegate.domain.service import ServiceKey


def pod(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    labels = {"tidegate.io/inferenceservice": "qwen"}
    return {
        "metadata": {"name": "p", "namespace": "a", "uid": "u1", "labels": labels} | metadata,
        "status": status or {},
    }


def engine(restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": "engine", "restartCount": restarts, "state": state}


def condition(name: str, status: str = "True") -> dict[str, str]:
    return {"type": name, "status": status}


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ({}, "created"),
        ({"conditions": [condition("PodScheduled", "False")]}, "created"),
        ({"conditions": [condition("PodScheduled")]}, "scheduled"),
        (
            {"conditions": [condition("PodScheduled")], "containerStatuses": [engine(waiting={})]},
            "scheduled",
        ),
        (
            {"conditions": [condition("PodScheduled")], "containerStatuses": [engine(running={})]},
            "started",
        ),
        ({"containerStatuses": [{"name": "sidecar", "state": {"running": {}}}]}, "created"),
    ],
)
def test_the_stage_is_how_far_the_start_has_come(status: dict[str, Any], stage: str) -> None:
    worker = worker_from_pod(pod(status))
    assert worker is not None
    assert worker.stage == stage


def test_a_restart_of_the_container_is_another_incarnation() -> None:
    worker = worker_from_pod(pod({"containerStatuses": [engine(3, running={})], "podIP": "10.0.0.9"}))
    assert worker is not None
    assert (worker.incarnation, worker.host, worker.port) == (3, "10.0.0.9", 8000)


def test_ready_is_the_pods_condition_and_nothing_else() -> None:
    ready = worker_from_pod(pod({"conditions": [condition("Ready")]}))
    unready = worker_from_pod(pod({"phase": "Running", "conditions": [condition("Ready", "False")]}))
    assert ready is not None
    assert unready is not None
    assert (ready.ready, unready.ready) == (True, False)


def test_a_pod_with_a_deletion_timestamp_is_terminating_though_it_is_ready() -> None:
    going = pod({"conditions": [condition("Ready")]}, deletionTimestamp="2026-01-01T00:00:00Z")
    worker = worker_from_pod(going)
    assert worker is not None
    assert worker.terminating
    assert worker.ready


@pytest.mark.parametrize(
    ("reason", "status", "terminating"),
    [
        ("TerminationByKubelet", "True", True),
        ("TerminationByKubelet", "False", False),
        ("EvictionByEvictionAPI", "True", False),  # a deletion follows, or it was refused
        ("PreemptionByScheduler", "True", False),
    ],
)
def test_a_pod_that_its_kubelet_ends_is_terminating_without_a_deletion(
    reason: str, status: str, terminating: bool
) -> None:
    disruption = condition("DisruptionTarget", status) | {"reason": reason}
    worker = worker_from_pod(pod({"phase": "Running", "conditions": [condition("Ready"), disruption]}))
    assert worker is not None
    assert worker.terminating is terminating


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_ended_for_good_is_no_worker(phase: str) -> None:
    assert worker_from_pod(pod({"phase": phase, "podIP": "10.0.0.9"})) is None


def test_the_label_says_which_service_a_pod_works_for() -> None:
    assert service_of(pod()) == ServiceKey("a", "qwen")
    assert service_of(pod(labels=None)) is None
