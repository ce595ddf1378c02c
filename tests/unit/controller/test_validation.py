"""What the validating webhook refuses, and what it warns of."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from tidegate.controller.admission import Admission
from tidegate.controller.world import World
from tidegate.kube.cache import Kind

Json = dict[str, Any]


def service(name: str, *names: str, namespace: str = "a", **spec: Any) -> Json:
    model: Json = {"uri": "hf://a/b"} | ({"servedNames": list(names)} if names else {})
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}", "resourceVersion": "1"}
    least = {"model": model, "resources": {"cpu": 1, "memory": "1Gi"}}
    return {"kind": "InferenceService", "metadata": metadata, "spec": least | spec}


def world_of(*services: Json, nodes: tuple[Json, ...] = ()) -> World:
    world = World(128)
    for each in services:
        world.cache.put(Kind.INFERENCE_SERVICE, each)
    world.nodes.replace_all(nodes)
    return world


def validated(world: World, new: Json, old: Json | None = None, **more: Any) -> Json:
    request = {"uid": "7", "kind": {"kind": "InferenceService"}, "object": new, "oldObject": old, **more}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    response: Json = Admission(world).validate(review)["response"]
    return response


def refusal(world: World, new: Json, old: Json | None = None) -> str | None:
    response = validated(world, new, old)
    return None if response["allowed"] else str(response["status"]["message"])


def warnings(world: World, new: Json, old: Json | None = None) -> list[str]:
    response = validated(world, new, old)
    assert response["allowed"]
    return list(response.get("warnings", []))


def leaving(item: Json) -> Json:
    gone = copy.deepcopy(item)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return gone


@pytest.mark.parametrize(
    ("present", "new", "field", "holder"),
    [
        (service("one", "chat"), service("two", "chat"), "spec.model.servedNames", "served by a/one"),
        (
            service("one", "x", "chat"),
            service("two", "chat", "y"),
            "spec.model.servedNames",
            "served by a/one",
        ),
        (service("chat"), service("two", "chat"), "spec.model.servedNames", "served by a/chat"),
        (service("chat", "x"), service("two", "chat"), "spec.model.servedNames", "the name of a/chat"),
        (service("one", "chat"), service("chat"), "spec.model.servedNames", "served by a/one"),
        (service("one", "chat"), service("chat", "y"), "metadata.name", "served by a/one"),
    ],
)
def test_a_name_that_another_service_of_the_namespace_has_is_refused_and_its_holder_named(
    present: Json, new: Json, field: str, holder: str
) -> None:
    message = refusal(world_of(present), new) or ""
    assert message.startswith(f"{field}: 'chat' is {holder}")
    assert refusal(world_of(leaving(present)), new) is None
    assert refusal(world_of(), new) is None


def test_a_refusal_is_for_clients_a_403() -> None:
    response = validated(world_of(service("one", "chat")), service("two", "chat"))
    assert (response["status"]["code"], response["status"]["reason"]) == (403, "Forbidden")


def test_a_service_is_not_in_its_own_way() -> None:
    old = service("one", "chat")
    assert refusal(world_of(old), service("one", "chat", "more"), old) is None
    assert refusal(world_of(old), old) is None  # created again, while the cache still has the one before
    assert refusal(world_of(service("one", "x")), service("one", "one"), service("one", "x")) is None


def test_an_old_conflict_stands_in_the_way_of_nothing_but_a_new_claim() -> None:
    old = service("two", "chat")
    world = world_of(service("one", "chat", "more"), old)
    labelled = copy.deepcopy(old)
    labelled["metadata"] |= {"labels": {"a": "b"}, "finalizers": []}
    assert refusal(world, labelled, old) is None
    assert refusal(world, service("two", "chat", suspend=True), old) is None
    assert "'more' is served by a/one" in (refusal(world, service("two", "chat", "more"), old) or "")


def test_a_name_of_another_namespace_is_a_warning_that_does_not_name_it() -> None:
    world = world_of(service("secret", "chat", namespace="b"))
    new = service("two", "chat")
    (said,) = warnings(world, new)
    assert "alone it means the oldest service, 'a/chat' always means this one" in said
    assert "secret" not in said
    assert warnings(world, service("two", "chat", suspend=True), new) == []  # it is no news


def test_a_name_that_looks_like_another_services_address_is_a_warning() -> None:
    world = world_of(service("one", namespace="b"))
    assert "means the InferenceService of that namespace" in warnings(world, service("two", "b/one"))[0]
    assert warnings(world, service("two", "b/two", "a/two")) == []


@pytest.mark.parametrize(
    "change",
    [
        {"object": None},
        {"object": {"metadata": None}},
        {"object": service("two", "chat") | {"spec": None}},
        {"kind": {"kind": "Deployment"}},
        {"kind": None},
        {"subResource": "scale"},
        {"object": leaving(service("two", "chat"))},
    ],
)
def test_what_is_not_a_readable_write_of_a_service_passes(change: Json) -> None:
    new = change.pop("object", service("two", "chat"))
    assert validated(world_of(service("one", "chat")), new, **change) == {"uid": "7", "allowed": True}


def test_what_the_operator_could_not_read_is_refused_unless_it_was_so_before() -> None:
    broken = service("one", resources={"cpu": 1, "memory": "none"})
    assert (refusal(world_of(), broken) or "").startswith("spec.resources.memory")
    assert (
        refusal(world_of(), service("one", resources=broken["spec"]["resources"], suspend=True), broken)
        is None
    )
    assert refusal(world_of(), broken, service("one"))
    assert refusal(world_of(), service("one") | {"status": {"conditions": 7}}) is None


def test_a_schedule_in_a_zone_that_does_not_exist_is_refused_unless_it_was_there_before() -> None:
    schedule = {"cron": "0 9 * * *", "timeZone": "Mars/Base", "forSeconds": 600, "minReplicas": 1}
    new = service("one", scaling={"schedules": [schedule]})
    assert "schedules[0].timeZone: 'Mars/Base' is not a time zone" in (refusal(world_of(), new) or "")
    assert refusal(world_of(), new | {"spec": new["spec"] | {"suspend": True}}, new) is None
    assert (
        refusal(world_of(), service("one", scaling={"schedules": [schedule | {"timeZone": "UTC"}]})) is None
    )


NODE = {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "8", "memory": "32Gi"}}}


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"cpu": 8, "memory": "32Gi"}, []),
        ({"cpu": "16", "memory": "1Gi"}, ["spec.resources.cpu: no node has 16 cores"]),
        ({"cpu": 1, "memory": "64Gi"}, ["spec.resources.memory: no node has 65536Mi"]),
        (
            {
                "cpu": 1,
                "memory": "1Gi",
                "accelerator": {"resource": "amd.com/gpu", "count": 1, "types": ["MI300"]},
            },
            ["spec.resources.accelerator.resource: no node offers amd.com/gpu"],
        ),
    ],
)
def test_a_worker_too_large_for_every_node_is_a_warning_when_its_size_is_new(
    resources: Json, said: list[str]
) -> None:
    new = service("one", resources=resources)
    found = warnings(world_of(nodes=(NODE,)), new)
    assert all(sentence.startswith(begin) for sentence, begin in zip(found, said, strict=True))
    assert warnings(world_of(nodes=(NODE,)), service("one", resources=resources, suspend=True), new) == []
    assert warnings(world_of(), new) == []


def test_a_concurrency_that_the_queue_never_lets_through_is_a_warning() -> None:
    asked = service("one", engine={"maxConcurrency": 64}, queue={"maxDepth": 16})
    assert warnings(world_of(), asked) == [
        "spec.queue.maxDepth: 16 requests wait or run at most, so a worker never runs "
        "spec.engine.maxConcurrency (64) at once"
    ]
    assert warnings(world_of(), service("one", engine={"maxConcurrency": 16}, queue={"maxDepth": 16})) == []
    assert warnings(world_of(), service("one", queue={"maxDepth": 16})) == []  # 32 is nobody's wish


def test_a_write_that_leaves_the_spec_alone_warns_of_nothing() -> None:
    old = service("one", engine={"maxConcurrency": 64}, queue={"maxDepth": 16})
    new = copy.deepcopy(old)
    new["metadata"]["labels"] = {"a": "b"}
    assert warnings(world_of(), old)
    assert warnings(world_of(), new, old) == []


def test_a_wait_shorter_than_the_last_start_is_a_warning() -> None:
    old = service("one") | {"status": {"coldStarts": {"count": 3, "lastSeconds": "90"}}}
    new = service("one", scaling={"coldStartTimeoutSeconds": 60}) | {"status": old["status"]}
    assert "a start from zero takes some 90 s" in warnings(world_of(), new, old)[0]
    new["spec"]["scaling"]["coldStartTimeoutSeconds"] = 90
    assert warnings(world_of(), new, old) == []
    new["spec"]["scaling"] = {"coldStartTimeoutSeconds": 60, "minReplicas": 1}
    assert warnings(world_of(), new, old) == []


def test_names_follow_the_cache_when_a_service_changes_them_or_goes() -> None:
    world, one = world_of(service("one", "chat")), service("one", "talk")
    one["metadata"]["resourceVersion"] = "2"
    world.cache.put(Kind.INFERENCE_SERVICE, one)
    assert refusal(world, service("two", "chat")) is None
    assert refusal(world, service("two", "talk"))
    world.cache.remove(Kind.INFERENCE_SERVICE, one)
    assert refusal(world, service("two", "talk")) is None


def test_a_refusal_never_shows_the_whole_object_and_its_environment() -> None:
    odd = _undivided()
    said = refusal(world_of(), odd)
    assert said
    assert said.startswith("spec: resources.accelerator.count must be a multiple")
    assert "hunter2" not in said


def test_a_fault_of_the_whole_spec_that_was_there_before_stands_in_the_way_of_no_other_change() -> None:
    assert refusal(world_of(), _undivided(suspend=True), _undivided()) is None


def _undivided(**spec: Any) -> Json:
    device = {"resource": "nvidia.com/gpu", "count": 3}
    engine = {"env": [{"name": "TOKEN", "value": "hunter2"}], "args": ["--pipeline-parallel-size", "2"]}
    resources = {"cpu": 1, "memory": "1Gi", "accelerator": device}
    return service("odd", engine=engine, resources=resources, **spec)


def test_requests_that_outlast_a_gateways_drain_are_a_warning_that_says_what_to_set() -> None:
    world = replace(world_of(), gateway_drain_seconds=320)
    [warning] = warnings(world, service("one", queue={"executionTimeoutSeconds": 321}))
    assert "waits 320 s" in warning
    assert "gateway.terminationGracePeriodSeconds to 331" in warning
    assert warnings(world, service("one", queue={"executionTimeoutSeconds": 320})) == []
    assert warnings(world_of(), service("one", queue={"executionTimeoutSeconds": 321})) == []


def test_a_cache_on_nodes_is_refused_without_a_folder_for_it_unless_it_was_so_before() -> None:
    new, world = service("one", cache={"node": True}), world_of()
    assert "spec.cache.node" in str(refusal(world, new))
    assert "cache.nodePath" in str(refusal(world, new, service("one")))
    assert refusal(world, new, service("one", cache={"node": True}, suspend=True)) is None
    assert refusal(replace(world, node_cache="/var/lib/tidegate"), new) is None
    assert refusal(world, service("one", cache={"claim": "models"})) is None
