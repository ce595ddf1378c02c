"""Real vLLM on the cluster: wake, stream, sleep, and the engine's own words when it cannot start."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import eventually
from tests.e2e.services import Services

pytestmark = pytest.mark.vllm
PARTS = {"api", "scheduling", "image", "container", "engine", "load", "firstByte"}


def tiny_chat(name: str, namespace: str, uri: str = "file:///models/tiny-chat") -> dict[str, Any]:
    """An InferenceService of the tiny random chat model, run by the worker's image."""
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"uri": uri},
            "engine": {"maxConcurrency": 8, "args": ["--max-model-len=1024", "--enforce-eager"]},
            "resources": {"cpu": 1, "memory": "6Gi", "sharedMemory": "512Mi"},
            "scaling": {"idleTimeoutSeconds": 30, "coldStartTimeoutSeconds": 240},
        },
    }


def test_the_first_request_wakes_vllm_and_is_answered_and_idle_puts_it_to_sleep(
    services: Services, gateway: Gateway
) -> None:
    services.apply(tiny_chat("chat", services.namespace))
    services.wait_phase("chat", "Idle", seconds=120)
    base = f"{gateway.url}/{services.namespace}/chat/v1"
    with openai.OpenAI(base_url=base, api_key="unused", timeout=300, max_retries=0) as client:
        stream = client.chat.completions.create(
            model="chat",
            messages=[{"role": "user", "content": "Tell me of the tide."}],
            max_tokens=64,
            stream=True,
        )
        chunks = [chunk for chunk in stream if chunk.choices]
    assert len(chunks) > 8
    assert services.pods("chat")[0]["status"]["qosClass"] == "Guaranteed"
    services.wait_phase("chat", "Running", seconds=120)
    told = services.cold_start("chat")
    seconds = {part: float(text) for part, text in told["parts"].items()}
    assert set(seconds) == PARTS
    assert min(seconds.values()) >= 0
    assert sum(seconds.values()) == pytest.approx(float(told["lastSeconds"]))
    assert seconds["engine"] > 1, "Python imports vLLM"
    assert seconds["load"] > 0.2, "the engine is initialized"
    eventually(lambda: len(services.notes("chat", "ColdStart")) == 1, "one Event tells it", seconds=120)
    print(services.notes("chat", "ColdStart"))
    services.wait_phase("chat", "Idle", seconds=120)
    eventually(lambda: services.pods("chat") == [], "the pod is gone", seconds=120)


def test_a_model_that_is_not_in_the_image_ends_in_failed_with_the_engines_reason(
    services: Services, gateway: Gateway
) -> None:
    manifest = tiny_chat("nowhere", services.namespace, "file:///models/nowhere")
    manifest["spec"]["scaling"]["coldStartTimeoutSeconds"] = 10
    services.apply(manifest)
    services.wait_phase("nowhere", "Idle", seconds=120)
    url = f"{gateway.url}/{services.namespace}/nowhere/v1/chat/completions"
    assert httpx.post(url, json={"model": "nowhere", "messages": []}, timeout=200).status_code == 503
    services.wait_phase("nowhere", "Failed", seconds=120)
    ready = services.condition("nowhere", "Ready")
    assert ready["reason"] == "ModelNotFound"
    assert "/models/nowhere" in ready["message"]
