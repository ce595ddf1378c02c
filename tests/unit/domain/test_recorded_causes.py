"""The cause of every trouble that was recorded on a real cluster."""

from __future__ import annotations

import re

import pytest

from tests.unit.domain.recorded_objects import recorded, recorded_names
from tidegate.domain.causes import Cause, cause_of, replica_failure
from tidegate.domain.draining import draining_of
from tidegate.domain.start_stage import Stage, stage_of
from tidegate.domain.workers import first_cause, worker_facts

DEADLINE = 900.0

# file -> reason, what the message must name, whether it is a failure
PODS: dict[str, tuple[str, str, bool] | None] = {
    "draining": None,
    "engine-line": ("ModelNotFound", "/models/none has no config.json", True),
    "evicted": ("Evicted", 'EmptyDir volume "v" exceeds', True),
    "image-name-invalid": ("InvalidImageName", "Busybox::1", True),
    "image-never-pull": ("ErrImageNeverPull", "not present with pull policy of Never", True),
    "image-pull-back-off": ("ImagePullBackOff", "network is unreachable", True),
    "image-pull-error": ("ImagePullBackOff", "network is unreachable", True),
    "init-crash": ("InitContainerFailed", "init container fetch ended with exit code 4: no route", True),
    "init-running": None,
    "loading": None,
    "node-lost": ("NodeLost", "node-2", False),
    "node-not-ready": ("NodeLost", "node-2", False),
    "oom-killed": ("OOMKilled", "resources.memory", True),
    "preempted": ("Preempted", "higher priority", False),
    "preempting": ("Unschedulable", "no node has enough cpu left", False),
    "pvc-missing": ("ClaimNotFound", "PersistentVolumeClaim weights", False),
    "pvc-unbound": ("ClaimUnbound", "PersistentVolumeClaim unbound is not bound", False),
    "rejected-by-kubelet": ("UnexpectedAdmissionError", "not enough cpus", True),
    "secret-key-missing": ("CreateContainerConfigError", "key token in Secret default/half", True),
    "secret-missing": ("CreateContainerConfigError", "the Secret hf-token does not exist", True),
    "secret-volume-missing": None,  # the kubelet says it in an Event alone
    "start-error": ("StartError", 'exec: "/absent"', True),
    "startup-deadline": ("EngineKilled", "signal 9 (SIGKILL)", False),
    "unschedulable-gpu-type": ("NoMatchingNode", "nvidia.com/gpu.product in NVIDIA-L4|NVIDIA-L40S", False),
    "unschedulable-node-lost": ("NoMatchingNode", "kubernetes.io/hostname=node-2", False),
    "unschedulable-resources": ("Unschedulable", "no node has enough cpu and nvidia.com/gpu left", False),
    "unschedulable-taint": ("NoMatchingNode", "placement.tolerations", False),
}

DEPLOYMENTS = {
    "deployment-account": ("ServiceAccountNotFound", "the ServiceAccount absent does not exist"),
    "deployment-limits": ("LimitRangeViolated", "maximum cpu usage per Container is 500m, but limit is 1"),
    "deployment-policy": ("PolicyDenied", "no-latest denied it: images must come from"),
    "deployment-quota": (
        "QuotaExceeded",
        "team of the namespace forbids it: requests.memory 64Mi requested, 0 of 32Mi",
    ),
    "deployment-security": ("PodSecurityViolated", "PodSecurity restricted:latest: allowPrivilegeEscalation"),
    "deployment-webhook": ("WebhookUnreachable", "pods.gatekeeper.example must agree and does not answer"),
}


@pytest.mark.parametrize("name", recorded_names("Pod"))
def test_every_recorded_pod_has_its_cause(name: str) -> None:
    found, expected = cause_of(recorded(name), DEADLINE), PODS[name]
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.reason, found.failure) == (expected[0], expected[2])
    assert expected[1] in found.message


@pytest.mark.parametrize("name", recorded_names("Deployment"))
def test_every_recorded_refusal_names_who_refused(name: str) -> None:
    found, (reason, said) = replica_failure(recorded(name)), DEPLOYMENTS[name]
    assert found is not None
    assert found.reason == reason
    assert said in found.message


@pytest.mark.parametrize("name", recorded_names("Deployment"))
def test_a_refusal_is_told_in_the_same_words_for_every_pod_that_is_tried(name: str) -> None:
    deployment = recorded(name)
    first = replica_failure(deployment)
    for condition in deployment["status"]["conditions"]:
        condition["message"] = re.sub(r'-[a-z0-9]{5}" is', '-zzzzz" is', condition["message"])
    assert replica_failure(deployment) == first


def test_an_image_that_cannot_be_pulled_is_told_in_the_same_words_between_two_tries() -> None:
    assert cause_of(recorded("image-pull-error"), DEADLINE) == cause_of(
        recorded("image-pull-back-off"), DEADLINE
    )


def test_an_engine_that_never_began_has_not_run_for_56_years() -> None:
    found = cause_of(recorded("start-error"), DEADLINE)
    assert found is not None
    assert found.reason != "StartupDeadlineExceeded"


def test_an_engine_that_its_startup_probe_ended_was_too_slow() -> None:
    found = cause_of(recorded("startup-deadline"), 3.0)
    assert found == Cause(
        "StartupDeadlineExceeded", "not ready within 3 s (startupDeadlineSeconds)", failure=False
    )


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("pvc-missing", Stage.PENDING),
        ("secret-volume-missing", Stage.PREPARING),
        ("init-running", Stage.INITIALIZING),
        ("image-pull-error", Stage.CREATING_CONTAINER),
        ("loading", Stage.LOADING),
    ],
)
def test_the_stage_of_a_start_is_what_the_pod_shows(name: str, stage: Stage) -> None:
    assert stage_of(recorded(name)) is stage
    assert stage.sentence


def test_a_worker_that_finishes_says_until_when_at_most() -> None:
    facts = worker_facts(recorded("draining"), DEADLINE)
    assert draining_of([facts]).sentence == (
        "1 worker finishes and holds its cores and memory until 2026-11-21T08:04:51Z at most"
    )


def test_a_pod_on_a_lost_node_is_not_said_to_finish() -> None:
    facts = worker_facts(recorded("node-lost"), DEADLINE)
    assert draining_of([facts]).sentence == "1 worker cannot be ended while the node does not answer"


def test_a_preempted_worker_is_the_cause_until_its_successor_has_one_of_its_own() -> None:
    gone, waits = (worker_facts(recorded(name), DEADLINE) for name in ("preempted", "preempting"))
    first, then = first_cause([gone]), first_cause([gone, waits])
    assert first
    assert first.reason == "Preempted"
    assert then
    assert then.reason == "Unschedulable"
