"""Two gateways on a cluster: one queue, one limit, one wake, and a restart that nobody notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Gateway, gateway_pods, install, reached
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.restricted import RESTRICTED
from tests.e2e.services import ENGINE_SIM, Services, simulated

SYSTEM = ("-n", "tidegate-system")
STREAMS = Path(__file__).with_name("stream_client.py").read_text()
MAX_DEPTH = 5


@pytest.fixture(scope="module")
def two(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The cluster with two gateways, and with one again afterwards."""
    install(kubectl, "--set", "gateway.replicas=2")
    eventually(lambda: len(gateway_pods(kubectl)) == 2, "there are two gateways", seconds=120)
    try:
        yield kubectl
    finally:
        install(kubectl)
        eventually(lambda: len(gateway_pods(kubectl)) == 1, "there is one gateway", seconds=120)


@pytest.fixture
def gateways(two: Kubectl) -> Iterator[list[Gateway]]:
    """Both, once each has a connection to the other."""
    with ExitStack() as stack:
        found = [stack.enter_context(reached(two, pod)) for pod in gateway_pods(two)]
        eventually(lambda: all(links(each) == ["up"] for each in found), "they found each other", seconds=120)
        yield found


def status(gateway: Gateway) -> Any:
    """What a gateway says of itself."""
    return httpx.get(f"{gateway.admin}/status", timeout=60).json()


def links(gateway: Gateway) -> list[str]:
    """The states of a gateway's connections to others."""
    return [other["link"] for other in status(gateway)["gateways"]]


def arbitrates(gateway: Gateway, service: str) -> bool | None:
    """Whether the service's queue is at this gateway; None where the service is not known there yet."""
    known = {each["service"]: bool(each["arbitrates"]) for each in status(gateway)["services"]}
    return known.get(service)


def told_apart(gateways: list[Gateway], service: str) -> tuple[Gateway, Gateway]:
    """The service's arbiter, and the other gateway."""
    eventually(
        lambda: sorted(str(arbitrates(each, service)) for each in gateways) == ["False", "True"],
        f"one gateway arbitrates {service}",
        seconds=120,
    )
    first, second = gateways
    return (first, second) if arbitrates(first, service) else (second, first)


def wakes(gateways: list[Gateway], name: str) -> float:
    """How often all of them together woke the service."""
    lines = [
        line for each in gateways for line in httpx.get(f"{each.admin}/metrics", timeout=60).text.splitlines()
    ]
    ours = [line for line in lines if line.startswith("gateway_wakes_total{") and f'service="{name}"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in ours)


def test_both_gateways_share_one_limit_and_a_request_to_the_one_that_is_no_arbiter_wakes(
    services: Services, gateways: list[Gateway]
) -> None:
    manifest = simulated("shared", services.namespace, ENGINE_REQUEST_SECONDS="10")
    manifest["spec"]["queue"] = {"maxDepth": MAX_DEPTH}
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = 600
    services.apply(manifest)
    services.wait_phase("shared", "Idle", seconds=120)
    arbiter, other = told_apart(gateways, f"{services.namespace}/shared")

    with httpx.Client(timeout=200) as client, ThreadPoolExecutor(4 * MAX_DEPTH) as pool:

        def ask(gateway: Gateway) -> int:
            url = f"{gateway.url}/{services.namespace}/shared/v1/chat/completions"
            return client.post(url, json={"model": "shared", "messages": []}).status_code

        assert ask(other) == 200
        assert wakes(gateways, "shared") == 1
        answers = list(pool.map(ask, [arbiter, other] * 2 * MAX_DEPTH))
    assert sorted(answers) == [200] * MAX_DEPTH + [429] * 3 * MAX_DEPTH


def client_pod(namespace: str, name: str) -> dict[str, Any]:
    """A pod in the cluster that streams from the service by its name until it is told to stop."""
    container = {
        "name": "client",
        "image": ENGINE_SIM,  # any image with Python
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", STREAMS, f"http://{name}.{namespace}.svc.cluster.local", name],
        "securityContext": RESTRICTED,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": namespace},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }


def restart(kubectl: Kubectl) -> None:
    """Restarts the gateways one after the other; returns when the last old one is gone."""
    old = {pod["metadata"]["name"] for pod in gateway_pods(kubectl)}
    kubectl.run("rollout", "restart", "deployment/tidegate-gateway", *SYSTEM)
    kubectl.run("rollout", "status", "deployment/tidegate-gateway", *SYSTEM, "--timeout=180s", timeout=200)
    names = [f"pod/{name}" for name in sorted(old)]
    kubectl.run("wait", *names, *SYSTEM, "--for=delete", "--timeout=180s", timeout=200)


def test_a_rolling_restart_under_streams_cuts_none_and_refuses_none(services: Services, two: Kubectl) -> None:
    manifest = simulated("steady", services.namespace, ENGINE_TOKENS_PER_SECOND="20")
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = 600
    services.apply(manifest)
    services.wait_phase("steady", "Idle", seconds=120)
    two.apply(client_pod(services.namespace, "steady"))
    log = ("logs", "client", "-n", services.namespace)
    pod = ("pod/client", "-n", services.namespace)
    two.run("wait", *pod, "--for=condition=Ready", "--timeout=180s", timeout=200)
    eventually(lambda: "begun" in two.run(*log), "streams run", seconds=120)
    restart(two)
    two.run("exec", "client", "-n", services.namespace, "--", "touch", "/tmp/stop")  # noqa: S108
    two.run("wait", *pod, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s", timeout=200)
    eventually(lambda: two.run(*log).splitlines()[-1].startswith("{"), "the log is whole", seconds=120)
    result = json.loads(two.run(*log).splitlines()[-1])
    assert result["failed"] == []
    assert result["long"] >= 4
    assert result["short"] > result["long"]
