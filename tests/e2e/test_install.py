"""The chart's life: what it labels, what it allows, and what is left when it goes."""

from __future__ import annotations

from tests.e2e.kubectl import Kubectl, eventually


def test_nodes_carry_the_policy_that_their_kubelet_has(kubectl: Kubectl) -> None:
    def labels() -> list[str]:
        nodes = kubectl.get("nodes")["items"]
        return [node["metadata"]["labels"].get("tidegate.io/cpu-manager-policy", "") for node in nodes]

    eventually(lambda: all(labels()), "every node is labelled", seconds=120)
    for node, label in zip(kubectl.get("nodes")["items"], labels(), strict=True):
        config = kubectl.run("get", "--raw", f"/api/v1/nodes/{node['metadata']['name']}/proxy/configz")
        assert (f'"cpuManagerPolicy":"{label}"' in config) or label == "unknown"


def test_helm_test_passes_and_leaves_nothing(kubectl: Kubectl) -> None:
    printed = kubectl.command("helm", "test", "tidegate", "-n", "tidegate-system", timeout=200)
    assert "Succeeded" in printed
    kinds = "jobs,pods,serviceaccounts,roles,rolebindings"
    eventually(
        lambda: "tidegate-test" not in kubectl.run("get", kinds, "-n", "tidegate-system", "-o", "name"),
        "the test is gone",
        seconds=120,
    )
