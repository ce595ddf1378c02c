"""With the webhooks' pods gone nobody's write is blocked, and no queue is without its limit."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from tests.component.kube.wire import eventually as until
from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import Kubectl, Object, eventually
from tests.e2e.outage import operator_down
from tests.e2e.services import Services, simulated
from tests.e2e.test_wake_and_sleep import MESSAGES

DEFAULT = 128  # queue.defaultMaxDepth of the chart
EXCESS = 12


def foreign(namespace: str, value: str) -> list[Object]:
    """Objects that are nothing of ours: a ConfigMap and a Service."""
    metadata = {"name": "foreign", "namespace": namespace, "annotations": {"value": value}}
    port = {"ports": [{"port": 80}]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": port},
    ]


def seconds(block: Callable[[], object]) -> float:
    """How long a call took."""
    began = time.monotonic()
    block()
    return time.monotonic() - began


def told(gateway: Gateway, service: str) -> dict[str, Any]:
    """What the gateway says of a service, nothing where it does not know it."""
    services = httpx.get(f"{gateway.admin}/status", timeout=60).json()["services"]
    return next((each for each in services if each["service"] == service), {})


def limit(gateway: Gateway, service: str) -> int:
    """The queue limit that the gateway holds a service to, 0 where it does not know the service."""
    return int(told(gateway, service).get("maxDepth", 0))


async def refused(gateway: Gateway, namespace: str, name: str, count: int) -> Counter[int]:
    """The statuses of those of so many requests that do not stay; the others are given up once each of them
    is counted in the queue."""
    url = f"{gateway.url}/{namespace}/{name}/v1/chat/completions"
    body = {"model": name, "messages": MESSAGES, "max_tokens": 4}
    async with httpx.AsyncClient(timeout=180, limits=httpx.Limits()) as client:
        asked = {asyncio.create_task(client.post(url, json=body)) for _ in range(count)}

        def gone() -> list[asyncio.Task[httpx.Response]]:
            return [task for task in asked if task.done()]

        async def all_are_told_or_stay() -> bool:
            depth = (await asyncio.to_thread(told, gateway, f"{namespace}/{name}"))["depth"]
            return len(gone()) + int(depth) == count

        try:
            await until(all_are_told_or_stay, "each request is refused or counted")
            return Counter(task.result().status_code for task in gone())
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)


def patch(kubectl: Kubectl, services: Services, name: str, kind: str, change: object) -> None:
    """Changes a service as ``kubectl patch`` does."""
    target = ("inferenceservices.tidegate.io", name, "-n", services.namespace)
    kubectl.run("patch", *target, f"--type={kind}", "-p", json.dumps(change))


def writes_succeed(kubectl: Kubectl, services: Services) -> None:
    """Foreign objects and one of our own are created and changed, and how long that takes is printed."""
    namespace = services.namespace
    theirs = [seconds(partial(kubectl.apply, *foreign(namespace, value))) for value in "12"]
    ours = seconds(lambda: services.apply(simulated("new", namespace)))
    print(f"webhooks gone: two foreign objects {max(theirs):.2f} s, one of our own {ours:.2f} s")
    assert "maxDepth" not in services.get("new")["spec"]["queue"]  # the schema's own defaults are there


def test_with_the_webhooks_gone_everybody_writes_and_limits_hold(
    kubectl: Kubectl, services: Services, gateway: Gateway
) -> None:
    manifest = simulated("open", services.namespace, ENGINE_REQUEST_SECONDS="3600")
    manifest["spec"]["engine"]["maxConcurrency"] = 256  # nothing of what is let in waits for a turn
    services.apply(manifest)
    services.wait_phase("open", "Idle", seconds=120)
    assert services.get("open")["spec"]["queue"]["maxDepth"] == DEFAULT
    key = f"{services.namespace}/open"

    def too_many(limit: int) -> Counter[int]:
        eventually(lambda: told(gateway, key)["depth"] == 0, "nothing waits or runs", seconds=120)
        return asyncio.run(refused(gateway, services.namespace, "open", limit + EXCESS))

    with operator_down(kubectl):
        writes_succeed(kubectl, services)
        patch(kubectl, services, "open", "merge", {"spec": {"queue": {"maxDepth": 3}}})
        eventually(lambda: limit(gateway, key) == 3, "the gateway has the written limit", seconds=120)
        assert too_many(3) == {429: EXCESS}
        patch(kubectl, services, "open", "json", [{"op": "remove", "path": "/spec/queue"}])
        assert "maxDepth" not in services.get("open")["spec"].get("queue", {})  # nobody wrote it again
        eventually(lambda: limit(gateway, key) == DEFAULT, "the installation's limit holds", seconds=120)
        assert too_many(DEFAULT) == {429: EXCESS}
    services.wait_phase("new", "Idle", seconds=120)
    status = services.get("new")["status"]
    assert (status["queue"]["limit"], status["queue"]["source"]) == (DEFAULT, "Default")
