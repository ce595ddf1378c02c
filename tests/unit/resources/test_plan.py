import copy
from typing import Any

import pytest

from tests.unit.resources.services import desired, service
from tidegate.resources.differs import differences
from tidegate.resources.plan import Observed, plan

Json = dict[str, Any]

RESOURCES = {"cpu": 1, "memory": "1024Mi", "sharedMemory": "64Mi"}
DESIRED = desired(service(resources=RESOURCES))
SEVERAL = desired(service(resources=RESOURCES, scaling={"maxReplicas": 2}))


def as_stored(manifest: Json) -> Json:
    """A manifest as the API server gives it back: with more in it, and other spellings."""
    stored: Json = copy.deepcopy(manifest)
    stored["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": []}
    del stored["kind"], stored["apiVersion"]  # items of a listing
    if "template" in stored["spec"]:
        stored["spec"] |= {"replicas": 3, "minReadySeconds": 0}
        del stored["spec"]["paused"]
        stored["spec"]["template"]["spec"] |= {"dnsPolicy": "ClusterFirst"}
        stored["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "1Gi"
        stored["spec"]["template"]["spec"]["volumes"].reverse()
    return stored


def stored() -> Observed:
    return Observed(as_stored(DESIRED.deployment), as_stored(DESIRED.service))


def verbs(observed: Observed) -> list[tuple[str, str]]:
    return [(each.verb, each.manifest["kind"]) for each in plan(DESIRED, observed).actions]


def test_nothing_there_means_create_asleep_then_apply() -> None:
    found = verbs(Observed())
    assert found == [("create", "Deployment"), ("apply", "Deployment"), ("create", "Service")]
    assert plan(DESIRED, Observed()).actions[0].manifest["spec"]["replicas"] == 0


def test_what_says_all_that_it_should_costs_no_write() -> None:
    assert plan(DESIRED, stored()).actions == ()


@pytest.mark.parametrize("replicas", [0, 1, 7])
def test_the_number_of_workers_is_nobodys_drift(replicas: int) -> None:
    observed = stored()
    assert observed.deployment
    observed.deployment["spec"]["replicas"] = replicas
    assert plan(DESIRED, observed).actions == ()


def test_drift_of_any_field_that_we_set_is_one_apply_that_names_it() -> None:
    observed = stored()
    assert observed.deployment
    observed.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    (action,) = plan(DESIRED, observed).actions
    assert action.verb == "apply"
    assert action.why == (".spec.template.spec.containers[engine].image",)


def test_a_lost_label_or_hash_is_drift_and_a_foreign_label_is_not() -> None:
    observed = stored()
    assert observed.deployment
    observed.deployment["metadata"]["labels"]["theirs"] = "x"
    assert plan(DESIRED, observed).actions == ()
    observed.deployment["metadata"]["annotations"].clear()
    assert len(plan(DESIRED, observed).actions) == 1


def test_a_foreign_object_of_the_same_name_is_left_alone() -> None:
    for kind in ("deployment", "service"):
        observed = stored()
        foreign = getattr(observed, kind)
        foreign["metadata"]["ownerReferences"] = [{"uid": "somebody else's"}]
        planned = plan(DESIRED, observed)
        assert planned.actions == ()
        assert planned.conflict
        assert planned.conflict.reason == "NameConflict"
        assert foreign["metadata"]["name"] in planned.conflict.message


def test_what_is_being_deleted_is_waited_for() -> None:
    observed = stored()
    assert observed.deployment
    observed.deployment["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    observed.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert plan(DESIRED, observed).actions == ()


def test_every_single_value_of_the_manifest_is_watched_for_drift() -> None:
    def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        items = (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
        )
        if items is None:
            return [path]
        return [leaf for key, value in items for leaf in leaves(value, (*path, key))]

    manifest = DESIRED.deployment
    for path in leaves(manifest):
        changed = copy.deepcopy(manifest)
        parent: Any = changed
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = "something else"
        assert differences(manifest, changed), path
        assert differences(manifest, manifest) == []
