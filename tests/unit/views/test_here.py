"""What is said of a service of one machine: nothing of a cluster, and advice that can be followed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.views import scenes
from tidegate.domain.pod_starts import NEXT_START_ANNOTATION
from tidegate.views.described_worker import described_worker
from tidegate.views.explanation import explain
from tidegate.views.layout import as_text
from tidegate.views.seen import Seen, facts_of
from tidegate.views.topic import Explanation

# What a person with one machine has none of, as words of their own.
OF_A_CLUSTER = re.compile(
    r"\b(pods?|nodes?|kubectl|kubelets?|Deployment|Kubernetes|operator|PersistentVolumeClaim|managedFields)\b"
)


def topic(explanation: Explanation, title: str) -> str:
    """What is said under a title; empty where it is not there."""
    return " ".join(
        sentence for each in explanation.topics if each.title == title for sentence in each.sentences
    )


def here(seen: Seen) -> Seen:
    """The same, as a ``tidegate up`` of this machine tells it."""
    return replace(seen, here=True)


def put_off(seconds: float) -> Seen:
    """Its engine ends again and again, and is begun anew in so many seconds."""
    cause = scenes.condition("Ready", "False", "EngineFailed", "the engine ended with exit code 2")
    status = scenes.status("Failed", 0, 0, scenes.decided(1, 0, "Woken", scenes.WOKEN, 30), cause)
    pod = scenes.worker("qwen-aaaaa", 30)
    pod["metadata"]["annotations"] = {NEXT_START_ANNOTATION: scenes.ago(-seconds)}
    pod["status"]["containerStatuses"] = [{"name": "engine", "restartCount": 2, "ready": False}]
    return here(Seen(scenes.service(status), scenes.NOW, scenes.deployment(1), (pod,)))


def blocked() -> Seen:
    """There is no vLLM on this machine."""
    cause = scenes.condition("Ready", "False", "InvalidSpec", "no vLLM here: install it")
    status = {"phase": "Failed", "conditions": [cause]}
    return here(Seen(scenes.service(status), scenes.NOW, scenes.deployment(0), ()))


def deleted() -> Seen:
    """Its manifest has gone, and its worker finishes what it runs."""
    seen = here(scenes.running())
    metadata = {**seen.service["metadata"], "deletionTimestamp": scenes.ago(1)}
    return replace(seen, service={**seen.service, "metadata": metadata}, pods=())


def external() -> Seen:
    """Others set the number of its workers."""
    seen = here(scenes.running())
    spec = {**seen.service["spec"], "scaling": {"mode": "External"}, "replicas": 1}
    return replace(seen, service={**seen.service, "spec": spec})


@pytest.mark.parametrize("scene", [put_off(9), blocked(), deleted(), external(), here(scenes.starting())])
def test_nothing_is_said_of_what_only_a_cluster_has(scene: Seen) -> None:
    said = as_text(explain(scene)).replace(scenes.WOKEN, "").replace("of node-1", "")
    assert not OF_A_CLUSTER.findall(said), said


def test_parts_of_a_start_have_the_names_of_this_machine() -> None:
    said = topic(explain(here(scenes.running())), "Cold start")
    assert "0.12 s for the wake, 0.30 s for its cores" in said
    assert "1.40 s for its process" in said


def test_the_next_try_of_an_engine_that_ends_again_and_again_has_a_time() -> None:
    explanation = explain(put_off(9))
    assert "The next try to start it is at 02:18:29 UTC (in 9 s)." in topic(explanation, "Next")
    [retry] = [each for each in explanation.expected if each.what == "Retry"]
    assert retry.not_before == retry.at_latest == scenes.NOW + 9


def test_a_try_that_is_due_is_not_told_as_coming() -> None:
    assert "next try" not in topic(explain(put_off(-1)), "Next")


def test_a_worker_is_described_with_its_next_try() -> None:
    seen = put_off(9)
    [pod], [worker] = seen.pods or (), facts_of(seen).workers
    assert dict(described_worker(pod, worker, "", scenes.NOW))["Restarts"] == "2; the next try in 9s"


def test_the_log_that_is_advised_is_that_of_the_service() -> None:
    said = topic(explain(put_off(9)), "Problem")
    assert "Read the worker's log: tidegate logs qwen (--previous: of the process before)." in said


def test_where_nothing_can_be_started_no_request_is_said_to_wake_it() -> None:
    explanation = explain(blocked())
    assert topic(explanation, "Workers") == "No worker is started before that is corrected."
    assert topic(explanation, "Next").startswith("Requests wait in vain before that is corrected, for ")
    assert "looked at again every 5 s" in topic(explanation, "Problem")


def test_a_service_that_goes_gets_no_more_workers_and_its_queue_is_not_said_to_be_empty() -> None:
    explanation = explain(deleted())
    assert topic(explanation, "Starting") == ""
    assert "Now no request" not in topic(explanation, "Queue")


def test_who_scales_a_service_does_it_in_the_manifest() -> None:
    assert "changes the number in the manifest" in topic(explain(external()), "Scaled by")


@pytest.mark.parametrize(
    ("reason", "todo"),
    [
        ("Unschedulable", ""),  # its message has it
        ("CommandNotFound", "annotation tidegate.io/command"),
        ("Unsupported", "a vLLM that knows it"),
    ],
)
def test_advice_can_be_followed_on_one_machine(reason: str, todo: str) -> None:
    cause: Any = scenes.condition("Ready", "False", reason, "so it is")
    told = scenes.status("Failed", 0, 0, scenes.decided(1, 0, "Woken", scenes.WOKEN, 30), cause)
    said = topic(explain(here(Seen(scenes.service(told), scenes.NOW))), "Problem")
    assert todo in said
    assert ("What to do" in said) == bool(todo)
