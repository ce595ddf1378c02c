from typing import Any

import pytest

from tidegate.api.config import effective_limit, parse_service_config
from tidegate.api.v1alpha1 import parse
from tidegate.domain.degradation import Degradation, Step
from tidegate.domain.limits import QueueLimit
from tidegate.domain.service import ServiceConfig, ServiceKey

Json = dict[str, Any]


def resource(annotations: Json | None = None, **spec: Any) -> Json:
    metadata = {"name": "qwen", "namespace": "team", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {**metadata, "annotations": annotations or {}},
        "spec": {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}, **spec},
    }


def test_the_least_resource_has_every_default() -> None:
    key = ServiceKey("team", "qwen")
    assert parse_service_config(resource()) == ServiceConfig(key, 1767225600.0, ("qwen",))


def test_every_field_of_the_data_path_is_read() -> None:
    raw = resource(
        model={"uri": "hf://a/b", "servedNames": ["one", "two"]},
        engine={"maxConcurrency": 4, "readinessPath": "/health"},
        suspend=True,
        scaling={"coldStartTimeoutSeconds": 5},
        queue={
            "maxDepth": 7,
            "maxBytes": "1Mi",
            "waitTimeoutSeconds": 8,
            "executionTimeoutSeconds": 9,
            "retryAfterSeconds": 10,
        },
        routing={"policy": "PrefixAffinity", "retryUnstarted": False},
    )
    assert parse_service_config(raw) == ServiceConfig(
        key=ServiceKey("team", "qwen"),
        created=1767225600.0,
        served_names=("one", "two"),
        max_concurrency=4,
        readiness_path="/health",
        max_depth=7,
        max_bytes=2**20,
        wait_timeout_seconds=8,
        cold_start_timeout_seconds=5,
        execution_timeout_seconds=9,
        retry_after_seconds=10,
        suspended=True,
        prefix_affinity=True,
        retry_unstarted=False,
    )


def test_a_service_whose_workers_others_count_is_not_woken_by_requests() -> None:
    assert parse_service_config(resource()).wakes
    assert not parse_service_config(resource(scaling={"mode": "External"}, replicas=0)).wakes


def test_a_defaulted_limit_follows_the_installation_and_the_users_stands() -> None:
    noted = {"tidegate.io/queue-default": "128 from Default"}
    assert effective_limit(parse(resource(noted, queue={"maxDepth": 128})), 64) == QueueLimit(64, "Default")
    assert effective_limit(parse(resource(noted, queue={"maxDepth": 12})), 64) == QueueLimit(12, "Spec")
    assert parse_service_config(resource(), 64).max_depth == 64


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"model": {}}, "spec.model.uri: Field required"),
        ({"model": {"uri": "gs://bucket/x"}}, "spec.model.uri: must be hf://OWNER/NAME"),
        ({"model": {"uri": "file:///a/../b"}}, "spec.model.uri: must be"),
        (
            {"resources": {"cpu": "500m", "memory": "1Gi"}},
            "spec.resources.cpu: must be a whole number of cores",
        ),
        ({"resources": {"cpu": 1, "memory": "much"}}, "spec.resources.memory: 'much' is not a quantity"),
        (
            {"resources": {"cpu": 1, "memory": "1Gi", "sharedMemory": "1Gi"}},
            "sharedMemory is a part of memory",
        ),
        (
            {"queue": {"maxDepth": 0}},
            "spec.queue.maxDepth: Input should be greater than or equal to 1 (got 0)",
        ),
        ({"queue": {"maxDepth": "7"}}, "spec.queue.maxDepth: Input should be a valid integer (got '7')"),
        ({"scaling": {"minReplicas": 2}}, "minReplicas must not be more than maxReplicas"),
        ({"engine": {"args": ["--max_num_seqs=4"]}}, "set spec.engine.maxConcurrency"),
        ({"engine": {"args": ["--config", "vllm.yaml"]}}, "one by one"),
        ({"engine": {"args": ["--port"]}}, "--port"),
        ({"replicas": 2}, "scaling.mode"),
        ({"scaling": {"mode": "External"}}, "replicas must be set"),
        ({"cpuIsolation": "Sometimes"}, "spec.cpuIsolation"),
        ({"routing": {"policy": "RoundRobin"}}, "spec.routing.policy"),
    ],
)
def test_what_is_wrong_is_named_with_its_field(spec: Json, sentence: str) -> None:
    with pytest.raises(ValueError, match="spec") as refused:
        parse_service_config(resource(**spec))
    assert sentence in str(refused.value)


def test_a_misspelt_field_is_refused_in_a_file_and_left_to_the_api_server_otherwise() -> None:
    raw = resource(queue={"maxDeph": 3})
    assert parse_service_config(raw).max_depth == 128
    with pytest.raises(ValueError, match=r"spec\.queue\.maxDeph: no such field"):
        parse_service_config(raw, strict=True)


def test_a_name_that_is_no_dns_label_is_refused() -> None:
    raw = resource()
    raw["metadata"]["name"] = "Qwen"
    with pytest.raises(ValueError, match=r"metadata\.name"):
        parse_service_config(raw)


def test_degradation_is_off_where_it_is_absent_and_an_empty_object_takes_the_default_steps() -> None:
    assert parse_service_config(resource()).degradation is None
    given = parse_service_config(resource(degradation={}, queue={"maxDepth": 100})).degradation
    assert given == Degradation(None, (Step(25, 128), Step(50, 96), Step(75, 64)))
    assert parse_service_config(resource(degradation={}), 64).degradation == Degradation(
        None, (Step(16, 128), Step(32, 96), Step(48, 64))
    )


def test_degradation_takes_the_users_steps_and_cap() -> None:
    steps = [{"above": 32, "maxTokens": 128}, {"above": 64, "maxTokens": 96}]
    given = parse_service_config(resource(degradation={"maxTokens": 200, "steps": steps})).degradation
    assert given == Degradation(200, (Step(32, 128), Step(64, 96)))
    alone = parse_service_config(resource(degradation={"maxTokens": 200, "steps": []})).degradation
    assert alone == Degradation(200, ())


@pytest.mark.parametrize(
    ("degradation", "sentence"),
    [
        ({"steps": [{"above": 2, "maxTokens": 9}, {"above": 2, "maxTokens": 8}]}, "steps must ascend"),
        ({"steps": [{"above": 2, "maxTokens": 9}, {"above": 3, "maxTokens": 9}]}, "less and less"),
        ({"maxTokens": 8, "steps": [{"above": 2, "maxTokens": 9}]}, "must not be less than that step's"),
        ({"steps": [{"above": 2, "maxTokens": 0}]}, "spec.degradation.steps[0].maxTokens"),
        ({"steps": [{"above": n, "maxTokens": 99 - n} for n in range(9)]}, "spec.degradation.steps"),
    ],
)
def test_steps_out_of_order_are_refused(degradation: Json, sentence: str) -> None:
    with pytest.raises(ValueError, match="degradation") as refused:
        parse_service_config(resource(degradation=degradation))
    assert sentence in str(refused.value)


def test_a_wrong_item_is_told_once_and_its_list_is_not_called_too_short() -> None:
    with pytest.raises(ValueError, match=r"^spec\.model\.servedNames\[0\]: must begin and end [^;]*$"):
        parse(resource(model={"uri": "hf://a/b", "servedNames": ["a b"]}))
    with pytest.raises(ValueError, match=r"^spec\.model\.servedNames: .*at least 1 item"):
        parse(resource(model={"uri": "hf://a/b", "servedNames": []}))
