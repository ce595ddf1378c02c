"""What a user reads who got something wrong: field, reason, and the engine's own words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import CommandError, Kubectl, eventually
from tests.e2e.outage import operator_down
from tests.e2e.services import Services, simulated

REFUSED: list[tuple[str, Any, str]] = [
    ("resources.cpu", "1500m", "spec.resources.cpu"),
    ("resources.cpu", 0, "spec.resources.cpu"),
    ("scaling.idleTimeoutSeconds", -1, "spec.scaling.idleTimeoutSeconds"),
    ("scaling.minReplicas", 9, "minReplicas"),
    ("queue", {"maxDepth": 0}, "spec.queue.maxDepth"),
    ("model.uri", "ftp://somewhere/model", "spec.model.uri"),
    ("engine.args", ["--port=1"], "--port"),
]


def with_field(path: str, value: Any) -> dict[str, Any]:
    """A valid service with one field of its spec replaced."""
    manifest = simulated("wrong", "default")
    *parents, last = path.split(".")
    place = manifest["spec"]
    for parent in parents:
        place = place[parent]
    place[last] = value
    return manifest


def test_with_the_operator_down_an_invalid_spec_is_refused_with_field_and_reason(kubectl: Kubectl) -> None:
    with operator_down(kubectl):
        for path, value, named in REFUSED:
            with pytest.raises(CommandError) as refused:
                kubectl.apply(with_field(path, value))
            assert named in str(refused.value), f"{path}={value!r}: {refused.value}"


def test_with_the_operator_down_a_sleeping_service_wakes_and_answers(
    kubectl: Kubectl, gateway: Gateway, services: Services
) -> None:
    services.create("alone")
    with operator_down(kubectl):
        url = f"{gateway.url}/{services.namespace}/alone/v1/chat/completions"
        chat = {"model": "alone", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
        assert httpx.post(url, json=chat, timeout=200).status_code == 200


def test_the_webhook_bounds_a_queue_without_a_limit_and_the_status_names_its_source(
    services: Services,
) -> None:
    services.create("bounded")
    resource = services.get("bounded")
    assert resource["spec"]["queue"]["maxDepth"] == 128
    assert "128" in resource["metadata"]["annotations"]["tidegate.io/queue-default"]
    assert resource["status"]["queue"]["limit"] == 128
    assert resource["status"]["queue"]["source"]


def test_a_model_that_does_not_exist_ends_in_failed_with_the_engines_own_reason(
    services: Services, gateway: Gateway
) -> None:
    manifest = simulated(
        "missing", services.namespace, ENGINE_FAIL="ModelNotFound: /models/none has no config.json"
    )
    manifest["spec"]["scaling"]["coldStartTimeoutSeconds"] = 5
    services.apply(manifest)
    services.wait_phase("missing", "Idle", seconds=120)
    url = f"{gateway.url}/{services.namespace}/missing/v1/chat/completions"
    answer = httpx.post(url, json={"model": "missing", "messages": []}, timeout=200)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    services.wait_phase("missing", "Failed", seconds=120)
    ready = services.condition("missing", "Ready")
    assert ready["reason"] == "ModelNotFound"
    assert "/models/none has no config.json" in ready["message"]


def test_a_malformed_body_and_one_over_the_limit_get_a_status_and_an_openai_shaped_error(
    services: Services, gateway: Gateway
) -> None:
    manifest = simulated("strict", services.namespace)
    manifest["spec"]["queue"] = {"maxBytes": "64Ki"}
    services.apply(manifest)
    services.wait_phase("strict", "Idle", seconds=120)
    url = f"{gateway.url}/{services.namespace}/strict/v1/chat/completions"
    eventually(
        lambda: httpx.get(f"{gateway.url}/readyz", timeout=60).status_code == 200, "ready", seconds=120
    )
    json_type = {"content-type": "application/json"}
    malformed = httpx.post(url, content=b'{"model": ', headers=json_type, timeout=60)
    assert malformed.status_code == 400
    assert malformed.json()["error"]["code"]
    large = httpx.post(url, json={"model": "strict", "prompt": "x" * 100_000}, timeout=60)
    assert large.status_code == 413
    assert "65536" in large.json()["error"]["message"]


def test_kubectl_shows_the_columns_and_explains_the_fields(kubectl: Kubectl, services: Services) -> None:
    services.create("shown")
    head = kubectl.run("get", "inferenceservices", "-n", services.namespace).splitlines()[0].split()
    assert head == ["NAME", "PHASE", "READY", "QUEUE", "MODEL", "REASON", "AGE"]
    text = kubectl.run("explain", "inferenceservice.spec.scaling.idleTimeoutSeconds")
    assert "seconds" in text.lower()
    assert "180" in text
