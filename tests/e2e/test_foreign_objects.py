"""Names that are taken by somebody else: nothing of theirs is touched, and the status says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.services import Services, simulated

TEMPLATE = {
    "metadata": {"labels": {"app": "foreign"}},
    "spec": {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "c",
                "image": "none",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}
SELECTOR = {"matchLabels": {"app": "foreign"}}
FOREIGN: dict[str, dict[str, Any]] = {
    "Service": {"apiVersion": "v1", "spec": {"ports": [{"port": 80}], "selector": {"app": "foreign"}}},
    "Deployment": {
        "apiVersion": "apps/v1",
        "spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE},
    },
    "PodDisruptionBudget": {"apiVersion": "policy/v1", "spec": {"maxUnavailable": 0, "selector": SELECTOR}},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_object_in_the_way_is_left_as_it_is_and_named(
    kubectl: Kubectl, services: Services, kind: str
) -> None:
    name = "taken" if kind == "Service" else "taken-worker"
    metadata = {"name": name, "namespace": services.namespace}
    kubectl.apply({"kind": kind, "metadata": metadata, **FOREIGN[kind]})
    before = kubectl.get(kind.lower(), name, "-n", services.namespace)
    manifest = simulated("taken", services.namespace)
    manifest["spec"]["scaling"]["maxReplicas"] = 2  # so that a budget is wanted
    services.apply(manifest)
    eventually(
        lambda: kind in services.condition("taken", "Ready").get("message", ""),
        "the condition names what is in the way",
        seconds=120,
    )
    after = kubectl.get(kind.lower(), name, "-n", services.namespace)
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    assert "ownerReferences" not in after["metadata"]


def test_operators_that_find_the_webhooks_certificate_spoilt_make_a_new_one(kubectl: Kubectl) -> None:
    secret = ("secret", "tidegate-webhook-tls", "-n", "tidegate-system")
    patch = '{"data": {"tls.crt": "", "tls.key": "", "ca.crt": ""}}'
    kubectl.run("patch", *secret, "--type", "merge", "-p", patch)
    selector = ("-l", "app.kubernetes.io/component=operator", "-n", "tidegate-system")
    kubectl.run("delete", "pod", *selector, "--wait", timeout=200)
    place = ("deployment/tidegate-operator", "-n", "tidegate-system", "--timeout=180s")
    kubectl.run("rollout", "status", *place, timeout=200)
    eventually(lambda: bool(kubectl.get(*secret)["data"]["tls.crt"]), "it has a certificate", seconds=120)
