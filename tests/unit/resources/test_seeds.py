"""What objects are created with, so that a later version can take a field away again."""

from tests.unit.resources.services import desired, service
from tidegate.resources.labels import is_left_over, is_ours
from tidegate.resources.names import SERVICE_LABEL
from tidegate.resources.plan import Observed, plan
from tidegate.resources.seeds import seed_of

SEVERAL = desired(service(scaling={"maxReplicas": 2}))


def test_a_seed_has_one_label_and_its_owner_and_no_annotation() -> None:
    assert SEVERAL.budget
    for manifest in (SEVERAL.seed, seed_of(SEVERAL.service), seed_of(SEVERAL.budget)):
        metadata = manifest["metadata"]
        assert set(metadata) == {"name", "namespace", "ownerReferences", "labels"}
        assert set(metadata["labels"]) == {SERVICE_LABEL}


def test_the_whole_follows_each_seed() -> None:
    found = [(each.verb, each.manifest["kind"]) for each in plan(SEVERAL, Observed()).actions]
    kinds = ("Deployment", "Service", "PodDisruptionBudget")
    assert found == [(verb, kind) for kind in kinds for verb in ("create", "apply")]


def test_a_service_of_an_earlier_version_that_said_more_is_applied_anew() -> None:
    older = {**SEVERAL.service, "metadata": {**SEVERAL.service["metadata"], "annotations": {}}}
    found = [(each.verb, each.manifest["kind"]) for each in plan(SEVERAL, Observed(service=older)).actions]
    assert ("apply", "Service") in found
    assert ("create", "Service") not in found


def test_what_a_predecessor_of_the_same_name_left_is_not_foreign() -> None:
    reference = SEVERAL.service["metadata"]["ownerReferences"][0] | {"uid": "earlier"}
    left = {"metadata": {"name": "qwen", "ownerReferences": [reference]}}
    assert is_left_over(left, SEVERAL.name, SEVERAL.uid)
    assert not is_ours(left, SEVERAL.uid)
    assert not is_left_over(SEVERAL.service, SEVERAL.name, SEVERAL.uid)
    found = plan(SEVERAL, Observed(service=left)).conflict
    assert found
    assert (found.reason, found.failure) == ("PredecessorNotGone", False)
    other = {"metadata": {"name": "qwen", "ownerReferences": [reference | {"name": "other"}]}}
    assert not is_left_over(other, SEVERAL.name, SEVERAL.uid)
