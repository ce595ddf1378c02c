"""Waking, against API servers that write a Scale of zero either way."""

from __future__ import annotations

from typing import Any, cast

import jsonpatch
import pytest

from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import (
    ForbiddenError,
    KubeError,
    PatchTestError,
    ServerError,
    UnreachableError,
    error_from_status,
)
from tidegate.kube.gateway_substrate import GatewaySubstrate

KEY = ServiceKey("a", "qwen")


class Scale:
    """A scale subresource that obeys JSON patches."""

    def __init__(self, spec: dict[str, int], refusal: KubeError | None = None) -> None:
        self.spec = spec
        self.refusal = refusal
        self.paths: list[str] = []

    async def json_patch(self, path: str, operations: list[dict[str, Any]], **_: object) -> None:
        self.paths.append(path)
        if self.refusal:
            raise self.refusal
        first, second = operations
        present = self.spec.get("replicas")  # Kubernetes takes a missing field for null
        if present != first["value"]:
            raise PatchTestError(422, "Invalid", "the server rejected our request")
        self.spec = jsonpatch.apply_patch({"spec": self.spec}, [second])["spec"]


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, 1), ({"replicas": 0}, 1), ({"replicas": 1}, 1), ({"replicas": 3}, 3)],
    ids=["zero left out", "zero written", "one", "three"],
)
async def test_zero_becomes_one_however_it_is_written_and_more_stays(
    before: dict[str, int], after: int
) -> None:
    scale = Scale(before)
    changed = await GatewaySubstrate(cast(KubeClient, scale)).wake(KEY)
    assert changed == (before.get("replicas", 0) == 0)
    assert scale.spec["replicas"] == after
    assert set(scale.paths) == {"/apis/apps/v1/namespaces/a/deployments/qwen-worker/scale"}


async def test_a_usual_wake_is_one_request() -> None:
    scale = Scale({})
    await GatewaySubstrate(cast(KubeClient, scale)).wake(KEY)
    assert len(scale.paths) == 1


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (ForbiddenError(403, "Forbidden", "by policy"), "may not scale qwen-worker in a: by policy"),
        (UnreachableError("no answer"), "while the API server is away: no answer"),
        (ServerError(500, "InternalError", "etcd"), r"a/qwen cannot be woken: etcd \(500 InternalError\)"),
    ],
)
async def test_a_refused_wake_says_by_whom(refusal: KubeError, sentence: str) -> None:
    with pytest.raises(WakeError, match=sentence):
        await GatewaySubstrate(cast(KubeClient, Scale({}, refusal))).wake(KEY)


@pytest.mark.parametrize(
    ("status", "asked", "seconds"), [(429, "7", 7.0), (429, None, 0.0), (503, "7", 0.0), (409, None, 0.0)]
)
async def test_an_api_server_that_is_overloaded_says_when_to_come_again(
    status: int, asked: str | None, seconds: float
) -> None:
    refusal = error_from_status(status, {"reason": "TooManyRequests"}, asked)
    with pytest.raises(WakeError) as error:
        await GatewaySubstrate(cast(KubeClient, Scale({}, refusal))).wake(KEY)
    assert error.value.retry_after == seconds
