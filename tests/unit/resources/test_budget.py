"""The one object that comes and goes while its service stays."""

from typing import Any

import pytest

from tests.unit.resources.services import desired, service
from tests.unit.resources.test_plan import DESIRED, SEVERAL, as_stored, stored
from tidegate.resources.budget import build_budget
from tidegate.resources.labels import selector
from tidegate.resources.plan import Action, Desired, Observed, plan

Json = dict[str, Any]


def with_budget(budget: Json | None) -> Observed:
    found = stored()
    return Observed(found.deployment, found.service, budget)


def stored_budget() -> Json:
    assert SEVERAL.budget
    return as_stored(SEVERAL.budget)


def actions(wanted: Desired, budget: Json | None) -> tuple[Action, ...]:
    return plan(wanted, with_budget(budget)).actions


@pytest.mark.parametrize(
    ("spec", "due"),
    [
        ({}, False),
        ({"scaling": {"maxReplicas": 1}}, False),
        ({"scaling": {"maxReplicas": 2}}, True),
        ({"scaling": {"mode": "External"}, "replicas": 0}, True),
    ],
)
def test_it_is_due_where_there_may_be_several_workers(spec: Json, due: bool) -> None:
    assert (build_budget(service(**spec)) is not None) is due


def test_one_worker_may_be_evicted_at_a_time_and_one_that_is_not_ready_always() -> None:
    found = build_budget(service(scaling={"maxReplicas": 9}))
    assert found
    assert found["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector("qwen")},
    }


def test_it_is_created_once_and_then_costs_no_write() -> None:
    (action,) = actions(SEVERAL, None)
    assert (action.verb, action.manifest) == ("create", SEVERAL.budget)
    assert actions(SEVERAL, stored_budget()) == ()


def test_drift_is_corrected() -> None:
    drifted = stored_budget()
    drifted["spec"]["maxUnavailable"] = 0
    (action,) = actions(SEVERAL, drifted)
    assert (action.verb, action.why) == ("apply", (".spec.maxUnavailable",))


def test_it_is_deleted_when_it_is_no_longer_due_and_only_that_very_object() -> None:
    (action,) = actions(DESIRED, stored_budget())
    assert (action.verb, action.manifest["metadata"]["uid"]) == ("delete", "u")


def test_one_that_is_being_deleted_or_is_somebody_elses_is_not_deleted() -> None:
    ending = stored_budget()
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    foreign = stored_budget()
    foreign["metadata"]["ownerReferences"] = []
    assert actions(DESIRED, ending) == actions(DESIRED, foreign) == ()


def test_a_foreign_one_is_in_the_way_only_where_one_is_due() -> None:
    foreign = stored_budget()
    foreign["metadata"]["ownerReferences"] = []
    assert plan(DESIRED, with_budget(foreign)).conflict is None
    conflict = plan(SEVERAL, with_budget(foreign)).conflict
    assert conflict
    assert "qwen-worker" in conflict.message


def test_raising_the_maximum_restarts_no_worker() -> None:
    one, two = desired(service()), desired(service(scaling={"maxReplicas": 2}))
    assert one.deployment == two.deployment
