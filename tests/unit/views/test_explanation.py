"""What is said of a service whose objects are not as they should be, and what programs get."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.views import scenes
from tidegate.domain.scaling import Load
from tidegate.views.explanation import explain
from tidegate.views.layout import as_json, as_text
from tidegate.views.remedies import REMEDIES
from tidegate.views.seen import Seen
from tidegate.views.topic import Explanation

STATUS_PAGE = Path(__file__).parents[3] / "docs/status.md"


def topic(explanation: Explanation, title: str) -> str:
    """What is said under a title; empty where it is not there."""
    return " ".join(
        sentence for each in explanation.topics if each.title == title for sentence in each.sentences
    )


def with_status(seen: Seen, **parts: object) -> Seen:
    """The same with other parts of the status; None: without it."""
    status = {**seen.service["status"], **parts}
    kept = {name: part for name, part in status.items() if part is not None}
    return replace(seen, service={**seen.service, "status": kept})


def with_spec(seen: Seen, **parts: object) -> Seen:
    """The same with other parts of the spec."""
    return replace(seen, service={**seen.service, "spec": {**seen.service["spec"], **parts}})


def test_what_an_older_operator_does_not_tell_is_told_in_other_words() -> None:
    since = scenes.ago(70)
    told = with_status(scenes.running(), scaling={"desired": 1, "reason": "Surplus", "since": since})
    said = topic(explain(told), "Workers")
    assert said.startswith("1 worker wanted, since 02:17:10 UTC (1 min 10 s ago).")
    assert "Surplus: so many had been enough for scaling.scaleDownDelaySeconds." in said
    assert "At that moment" not in said


def test_a_reason_that_nobody_knows_here_is_passed_on() -> None:
    told = with_status(scenes.running(), scaling={"desired": 1, "reason": "Sorcery", "since": scenes.ago(1)})
    assert "Sorcery: the operator says no more." in topic(explain(told), "Workers")


def test_parts_of_a_cold_start_that_are_not_known_here_come_last() -> None:
    cold = {"count": 1, "lastSeconds": "4.0", "parts": {"warmup": "1.00", "image": "3.00"}}
    said = topic(explain(with_status(scenes.running(), coldStarts=cold)), "Cold start")
    assert said == (
        "The only one so far took 4.0 s. Of these 3.00 s for the image and 1.00 s for warmup. "
        "The image was 75 % of it: docs/cold-starts.md says what makes it shorter."
    )


def test_a_wake_that_was_decided_before_its_request_was_heard_of_has_no_figures() -> None:
    scaling = scenes.running().service["status"]["scaling"] | {"waiting": 0}
    assert "At that moment" not in topic(explain(with_status(scenes.running(), scaling=scaling)), "Workers")
    assert "At that moment 1 request waited" in topic(explain(scenes.running()), "Workers")


def test_cores_are_no_subject_before_a_worker_is_ready() -> None:
    judged = scenes.condition("CPUIsolated", "Unknown", "NoWorkers", "no worker is ready")
    assert topic(explain(with_status(scenes.starting(), conditions=[judged])), "Cores") == ""


def test_without_a_last_cold_start_nothing_is_said_of_it() -> None:
    assert topic(explain(with_status(scenes.running(), coldStarts=None)), "Cold start") == ""


def test_a_spec_that_this_version_does_not_know_is_said_and_the_status_told_all_the_same() -> None:
    explanation = explain(with_spec(scenes.running(), queue={"maxDepth": "many"}))
    assert "The spec cannot be read by this version of tidegate: spec.queue.maxDepth" in topic(
        explanation, "Problem"
    )
    assert "1 worker wanted" in topic(explanation, "Workers")
    assert "cannot be told" in topic(explanation, "Next")


def test_a_status_about_an_older_spec_says_so() -> None:
    old = with_status(scenes.running(), observedGeneration=2)
    assert "The spec was changed after this status was written" in topic(explain(old), "Problem")


def test_a_wake_that_the_status_does_not_know_of_yet_is_seen_in_the_deployment() -> None:
    woken = replace(scenes.idle(), deployment=scenes.deployment(1))
    said = topic(explain(woken), "Workers")
    assert "The Deployment asks for 1 worker at this moment: a gateway has just woken it" in said


def test_an_autoscaler_on_a_managed_service_is_told_that_it_is_refused() -> None:
    autoscaler = {"metadata": {"name": "hpa"}, "spec": {"maxReplicas": 3}}
    said = topic(explain(replace(scenes.running(), autoscalers=(autoscaler,))), "Scaled by")
    assert said.startswith(
        "HorizontalPodAutoscaler hpa has this service as its target, but the mode is Managed"
    )


def test_an_autoscaler_does_nothing_at_zero_and_how_to_begin_is_said() -> None:
    asleep = with_spec(scenes.external(), replicas=0)
    assert "At 0 it does nothing: begin with kubectl scale --replicas 1." in topic(
        explain(asleep), "Scaled by"
    )
    assert "At 0" not in topic(explain(scenes.external()), "Scaled by")


def test_a_number_that_nobody_signed_is_said_to_have_no_writer() -> None:
    seen = scenes.external()
    metadata = {name: part for name, part in seen.service["metadata"].items() if name != "managedFields"}
    said = topic(explain(replace(seen, service={**seen.service, "metadata": metadata})), "Scaled by")
    assert "Who wrote spec.replicas cannot be told" in said


def test_a_full_queue_is_called_full() -> None:
    full = {"limit": 8, "source": "Calibration", "summary": "8/8"}
    said = topic(explain(with_status(scenes.running(), queue=full)), "Queue")
    assert "a load test has found it" in said
    assert said.endswith("Now 8 requests wait or run, so it is full.")


def test_a_minimum_keeps_it_awake_and_says_so() -> None:
    kept = with_spec(scenes.running(), scaling={**scenes.SCALING, "minReplicas": 1})
    assert "It does not go to sleep: scaling.minReplicas keeps 1 worker." in topic(explain(kept), "Next")


def test_a_queue_delay_cannot_be_reckoned_from_a_sum_and_can_from_the_gateways_own_numbers() -> None:
    delay = {"type": "QueueDelay", "queueDelay": {"targetMilliseconds": 5000}}
    seen = with_spec(scenes.surplus_soon(), scaling={**scenes.SCALING, "metric": delay})
    assert "--ask-gateways tells" in topic(explain(seen), "Next")
    asked = replace(seen, load=Load(in_flight=5, last_activity=scenes.NOW, execution_seconds=2.0))
    said = topic(explain(asked), "Next")
    assert "when a request would wait for longer than 5 s" in said
    assert "1 worker would be enough" in said


def test_at_its_maximum_it_says_that_no_more_are_started() -> None:
    most = with_spec(scenes.surplus_soon(), scaling={**scenes.SCALING, "maxReplicas": 2})
    assert "No more are started: scaling.maxReplicas is 2." in topic(explain(most), "Next")


def test_a_spec_that_the_operator_refuses_is_the_only_cause_that_counts() -> None:
    conditions = [
        scenes.condition("Ready", "False", "InvalidSpec", "spec.scaling: no zone Mars/Olympus", 30),
        scenes.condition("Scheduled", "False", "Unschedulable", "no node has enough cpu", 400),
    ]
    said = topic(explain(with_status(scenes.no_node(), phase="Failed", conditions=conditions)), "Problem")
    assert said.startswith("InvalidSpec: spec.scaling: no zone Mars/Olympus. What to do: Correct the field")
    assert "Unschedulable" not in said


def test_where_one_worker_serves_and_another_cannot_start_both_are_said() -> None:
    ready = scenes.condition("Ready", "True", "OOMKilled", "1 of 2 workers ready; OOMKilled: it needed more")
    said = topic(explain(with_status(scenes.scaled_up(), conditions=[ready])), "Problem")
    assert said == (
        "1 of 2 workers ready; OOMKilled: it needed more. What to do: Raise resources.memory. "
        "The workers that are ready go on to serve."
    )


def test_what_the_engine_says_to_do_is_not_said_twice() -> None:
    told = "unrecognized arguments: --foo. Correct engine.args."
    ready = scenes.condition("Ready", "False", "BadArgument", told)
    said = topic(explain(with_status(scenes.failed_image(), conditions=[ready])), "Problem")
    assert said.startswith("BadArgument: unrecognized arguments: --foo. Correct engine.args.")
    assert "What to do" not in said


def test_somebody_who_overwrites_fields_is_named_beside_all_that_is_well() -> None:
    contested = scenes.condition("Contested", "True", "FieldsOverwritten", "sidecar-injector writes it")
    said = topic(explain(with_status(scenes.running(), conditions=[scenes.READY, contested])), "Problem")
    assert said.startswith("FieldsOverwritten: sidecar-injector writes it. What to do: Have whoever")


def test_a_service_that_is_being_deleted_says_that_and_nothing_of_the_future() -> None:
    seen = scenes.running()
    metadata = {**seen.service["metadata"], "deletionTimestamp": scenes.ago(1)}
    explanation = explain(replace(seen, service={**seen.service, "metadata": metadata}))
    assert explanation.headline == "qwen in namespace team-a is being deleted."
    assert topic(explanation, "Next") == "It is being deleted: its workers finish what they run and go."


def test_workers_without_a_pod_yet_are_counted() -> None:
    said = topic(explain(replace(scenes.scaled_up(), deployment=scenes.deployment(4))), "Starting")
    assert "2 more workers are about to be made." in said


def test_a_demand_beyond_the_maximum_says_what_it_asked_for() -> None:
    scaling = scenes.scaled_up().service["status"]["scaling"] | {"needed": 5}
    said = topic(explain(with_status(scenes.scaled_up(), scaling=scaling)), "Workers")
    assert said.endswith("That asked for 5 workers, and scaling.maxReplicas allowed 2.")


def test_many_workers_that_start_are_counted_not_listed() -> None:
    pods = tuple(scenes.worker(f"qwen-worker-{number}", 5) for number in range(9))
    said = topic(explain(replace(scenes.starting(), pods=pods)), "Starting")
    assert said.count("the engine runs") == 4
    assert "5 more start." in said


def test_programs_get_the_times_as_times() -> None:
    document = json.loads(as_json(explain(scenes.flapping())))
    sleep = {
        "what": "Sleep",
        "workers": 0,
        "notBefore": scenes.ago(360 - 405),
        "atLatest": scenes.ago(-405),
    }
    assert document["expected"] == [sleep]
    assert document["summary"] == "qwen in namespace team-a is running: 1 worker is ready."
    assert document["topics"][0]["title"] == "Workers"


@pytest.mark.parametrize("reason", REMEDIES)
def test_each_reason_with_advice_is_on_the_page_of_reasons(reason: str) -> None:
    assert f"`{reason}`" in STATUS_PAGE.read_text()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "scaling",
    "conditions",
    "queue",
    "coldStarts",
    "cost",
    "phase",
    "isolation",
    "readyReplicas",
    "replicas",
)
INNER = (
    "desired",
    "since",
    "reason",
    "message",
    "waiting",
    "parts",
    "count",
    "lastSeconds",
    "flapping",
    "summary",
)


@given(
    st.dictionaries(st.sampled_from(KEYS), JUNK | st.dictionaries(st.sampled_from(INNER), JUNK, max_size=4))
)
def test_whatever_stands_in_a_status_there_is_an_explanation(status: dict[str, object]) -> None:
    seen = scenes.running()
    text = as_text(explain(replace(seen, service={**seen.service, "status": status})))
    assert text.startswith("qwen in namespace team-a")
