"""CPUIsolated follows what is done to a worker's cores while it runs: more of them, the same, a quota."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import httpx
import pytest

from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.services import Services, simulated
from tests.e2e.test_wake_and_sleep import chat
from tests.e2e.worker_cgroup import WorkerCgroup

LOOKS = 180.0  # seconds for two looks, a minute apart, on a busy machine


def told(services: Services, name: str) -> tuple[str, str]:
    """What CPUIsolated says: status and reason."""
    condition = services.condition(name, "CPUIsolated")
    return condition.get("status", ""), condition.get("reason", "")


def column(kubectl: Kubectl, services: Services, name: str) -> str:
    """ISOLATION of ``kubectl get -o wide``."""
    rows = kubectl.run("get", "infsvc", name, "-n", services.namespace, "-o", "wide").splitlines()
    at = rows[0].index("ISOLATION")
    return rows[1][at:].split()[0]


@contextmanager
def load(gateway: Gateway, namespace: str, name: str) -> Iterator[None]:
    """Streams that keep the simulated engine computing, two at a time."""
    done = Event()
    body = {
        "model": name,
        "messages": [{"role": "user", "content": "go"}],
        "max_tokens": 5000,
        "stream": True,
    }

    def ask() -> None:
        with httpx.Client(timeout=120) as client:
            while not done.is_set():
                url = f"{gateway.url}/{namespace}/{name}/v1/chat/completions"
                with client.stream("POST", url, json=body) as answer:
                    for _ in answer.iter_raw():
                        if done.is_set():
                            break

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask) for _ in range(2)]
        try:
            yield
        finally:
            done.set()
    for each in asked:
        each.result()


@pytest.mark.timeout(900)
def test_the_condition_and_the_column_follow_what_is_done_to_a_workers_cores(
    services: Services, gateway: Gateway, kubectl: Kubectl
) -> None:
    manifest = simulated("turning", services.namespace, ENGINE_TOKENS_PER_SECOND="0")
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = 1800
    services.apply(manifest)
    assert chat(gateway, services.namespace, "turning").status_code == 200
    eventually(lambda: told(services, "turning") == ("True", "Exclusive"), "its own cores", seconds=LOOKS)
    [pod] = services.pods("turning")
    cgroup = WorkerCgroup(pod)
    given = cgroup.cpus

    node = kubectl.get("node", pod["spec"]["nodeName"])
    cgroup.allow(f"0-{int(node['status']['capacity']['cpu']) - 1}")
    eventually(lambda: told(services, "turning") == ("False", "SharedCores"), "shared cores", seconds=LOOKS)
    assert "and asked for 1" in services.condition("turning", "CPUIsolated")["message"]
    assert column(kubectl, services, "turning") == "Shared"

    cgroup.allow(given)
    eventually(lambda: told(services, "turning") == ("True", "Exclusive"), "its own again", seconds=LOOKS)
    assert column(kubectl, services, "turning") == "Exclusive"

    cgroup.limit(0.1)  # less than it computes with, and enough for the kubelet's probes
    with load(gateway, services.namespace, "turning"):
        eventually(lambda: told(services, "turning") == ("False", "Throttled"), "throttled", seconds=LOOKS)
    message = services.condition("turning", "CPUIsolated")["message"]
    print(json.dumps({"message": message}))
    assert "its quota of 0.1 cores stopped it in" in message
    assert column(kubectl, services, "turning") == "Throttled"
