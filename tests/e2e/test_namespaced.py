"""An installation for one namespace beside the cluster-wide one: it alone serves what was handed to it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import Gateway, gateway_pods, reached
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.services import Services, simulated

LABEL = "tidegate.io/installation"


@pytest.fixture
def team(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """A namespace that was handed to an installation of its own, which is there."""
    kubectl.run("label", "namespace", namespace, f"{LABEL}={namespace}")
    options = ("--set", f"watchNamespace={namespace},crds.install=false,operator.replicas=1")
    kubectl.command(
        *("helm", "install", "tidegate", "charts/tidegate", "--namespace", namespace),
        *("--values", "tests/e2e/values.yaml", "--wait", "--timeout", "5m", *options),
        timeout=400,
    )
    try:
        yield namespace
    finally:
        kubectl.command("helm", "uninstall", "tidegate", "--namespace", namespace, "--wait", timeout=200)


def ask(gateway: Gateway, namespace: str) -> int:
    """The status of a chat request to the namespace's service."""
    url = f"{gateway.url}/{namespace}/own/v1/chat/completions"
    return httpx.post(url, json={"model": "own", "messages": []}, timeout=200).status_code


def test_a_teams_own_installation_wakes_its_service_and_the_cluster_wide_one_does_not_know_it(
    kubectl: Kubectl, services: Services, team: str, gateway: Gateway
) -> None:
    services.apply(simulated("own", team))
    services.wait_phase("own", "Idle", seconds=120)
    assert "maxDepth" not in services.get("own")["spec"].get("queue", {})  # no webhook wrote it
    assert services.get("own")["status"]["queue"]["limit"] == 128
    assert ask(gateway, team) == 404
    pods = gateway_pods(kubectl, system=team)
    with reached(kubectl, pods[0]) as own:
        assert ask(own, team) == 200
    services.wait_phase("own", "Idle", seconds=120)


def test_helm_test_passes_for_it_without_any_right(kubectl: Kubectl, team: str) -> None:
    assert "Succeeded" in kubectl.command("helm", "test", "tidegate", "-n", team, timeout=200)


def test_a_namespace_that_is_given_back_is_served_by_the_cluster_wide_installation(
    kubectl: Kubectl, services: Services, gateway: Gateway
) -> None:
    kubectl.run("label", "namespace", services.namespace, f"{LABEL}=somebody")
    services.apply(simulated("own", services.namespace))
    eventually(lambda: ask(gateway, services.namespace) == 404, "it is not known", seconds=120)
    assert services.phase("own") == ""
    kubectl.run("label", "namespace", services.namespace, f"{LABEL}-")
    services.wait_phase("own", "Idle", seconds=120)
    assert ask(gateway, services.namespace) == 200
