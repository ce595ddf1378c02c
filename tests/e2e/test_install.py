"""The chart's life: what it labels, what it allows, and what is left when it goes."""

from __future__ import annotations

from tests.e2e.conftest import install
from tests.e2e.kubectl import Kubectl, eventually


def test_nodes_carry_the_policy_that_their_kubelet_has(kubectl: Kubectl) -> None:
    def labels() -> list[str]:
        nodes = kubectl.get("nodes")["items"]
        return [node["metadata"]["labels"].get("tidegate.io/cpu-manager-policy", "") for node in nodes]

    eventually(lambda: all(labels()), "every node is labelled", seconds=30)
    for node, label in zip(kubectl.get("nodes")["items"], labels(), strict=True):
        config = kubectl.run("get", "--raw", f"/api/v1/nodes/{node['metadata']['name']}/proxy/configz")
        assert (f'"cpuManagerPolicy":"{label}"' in config) or label == "unknown"


def test_an_uninstalled_release_leaves_nothing_but_the_crd_and_installs_again(kubectl: Kubectl) -> None:
    kubectl.command("helm", "uninstall", "tidegate", "-n", "tidegate-system", "--wait", timeout=120)
    try:
        kinds = "deployments,services,secrets,configmaps,serviceaccounts,roles,rolebindings"
        cluster = (
            "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,"
            "validatingadmissionpolicies,validatingadmissionpolicybindings"
        )

        def left() -> list[str]:
            lines = kubectl.run("get", kinds, "-n", "tidegate-system", "-o", "name").split()
            lines += kubectl.run("get", cluster, "-o", "name").split()
            return [line for line in lines if "tidegate" in line]

        eventually(lambda: left() == [], "nothing is left of the release", seconds=60)
        assert "inferenceservices.tidegate.io" in kubectl.run("get", "crd", "-o", "name")
    finally:
        install(kubectl)
