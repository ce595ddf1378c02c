"""Where a node's kubelet is, and what its answer means."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tidegate.kube.client import KubeClient
from tidegate.kube.errors import ForbiddenError, KubeError, UnreachableError
from tidegate.kube.kubelet import Kubelets, kubelet_url


def node(*addresses: tuple[str, str], port: int | None = None) -> dict[str, Any]:
    endpoint = {"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}} if port else {}
    listed = [{"type": kind, "address": address} for kind, address in addresses]
    return {"metadata": {"name": "n"}, "status": {"addresses": listed, **endpoint}}


class Client:
    """Answers every question with one thing, and remembers who was asked and how."""

    def __init__(self, answer: dict[str, Any] | KubeError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bool]] = []

    async def get_elsewhere(self, url: str, *, verify: bool) -> dict[str, Any]:
        self.asked.append((url, verify))
        if isinstance(self.answer, KubeError):
            raise self.answer
        return self.answer


def test_it_is_asked_at_its_internal_address_and_its_own_port() -> None:
    internal = ("InternalIP", "192.0.2.7")
    assert kubelet_url(node(("ExternalIP", "198.51.100.1"), internal)) == "https://192.0.2.7:10250"
    assert kubelet_url(node(internal, port=10350)) == "https://192.0.2.7:10350"
    assert kubelet_url(node(("InternalIP", "2001:db8::7"))) == "https://[2001:db8::7]:10250"
    assert kubelet_url(node(("Hostname", "n"))) is None


@pytest.mark.parametrize("policy", ["static", "none"])
async def test_its_answer_is_the_policy(policy: str) -> None:
    client = Client({"kubeletconfig": {"cpuManagerPolicy": policy}})
    answer = await Kubelets(cast(KubeClient, client)).cpu_manager_policy(node(("InternalIP", "192.0.2.7")))
    assert answer.policy == policy
    assert client.asked == [("https://192.0.2.7:10250/configz", True)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ForbiddenError(403, "Forbidden", "may not"), "may not"),
        (UnreachableError("certificate verify failed"), "certificate verify failed"),
        ({}, "None"),
        ({"kubeletconfig": []}, "None"),
        ({"kubeletconfig": {"cpuManagerPolicy": "other"}}, "'other'"),
    ],
)
async def test_no_good_answer_is_no_policy_and_a_reason(answer: dict[str, Any] | KubeError, why: str) -> None:
    kubelets = Kubelets(cast(KubeClient, Client(answer)))
    found = await kubelets.cpu_manager_policy(node(("InternalIP", "192.0.2.7")))
    assert found.policy is None
    assert why in found.why


@pytest.mark.parametrize("address", ["node-7.internal", "", "192.0.2.7/24"])
async def test_a_node_whose_address_is_none_is_not_asked(address: str) -> None:
    client = Client({"kubeletconfig": {"cpuManagerPolicy": "static"}})
    found = await Kubelets(cast(KubeClient, client)).cpu_manager_policy(node(("InternalIP", address)))
    assert found.policy is None
    assert "address" in found.why
    assert client.asked == []


async def test_only_the_administrators_choice_asks_without_verifying() -> None:
    client = Client({})
    await Kubelets(cast(KubeClient, client), insecure=True).cpu_manager_policy(
        node(("InternalIP", "192.0.2.7"))
    )
    assert client.asked[0][1] is False
