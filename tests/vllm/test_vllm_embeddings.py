"""A worker with real weights: what its numbers mean is known."""

from __future__ import annotations

import math
from pathlib import Path

import openai
import pytest

from tests.vllm.worker_process import Starter

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
QUESTION = "how do I scale a deployment to zero?"
ALIKE = "Kubernetes autoscaling down to no replicas"
UNLIKE = "my cat likes fish"


def cosine(left: list[float], right: list[float]) -> float:
    product = sum(a * b for a, b in zip(left, right, strict=True))
    return product / math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))


def test_like_sentences_are_near_and_unlike_ones_far(start: Starter, minilm: Path) -> None:
    words = ["--served-model-name", "minilm", "--runner", "pooling", "--dtype", "float32", "--enforce-eager"]
    worker = start(minilm, *words)
    worker.wait_ready()
    client = openai.OpenAI(base_url=f"{worker.url}/v1", api_key="none", max_retries=0, timeout=200)
    answer = client.embeddings.create(model="minilm", input=[QUESTION, ALIKE, UNLIKE])
    question, alike, unlike = (item.embedding for item in answer.data)
    # what sentence-transformers computes with the same weights
    assert cosine(question, alike) == pytest.approx(0.464, abs=0.005)
    assert cosine(question, unlike) == pytest.approx(-0.062, abs=0.005)
