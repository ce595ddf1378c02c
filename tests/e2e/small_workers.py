"""Workers that ask for a fiftieth of a core, so that many fit on a node that has one to give.

A worker's cores are whole, by the schema. A MutatingAdmissionPolicy changes what the pods of one namespace
request as they are created; Deployments, and so everything that the operator writes, stay as they are.
"""

from __future__ import annotations

from tests.e2e.kubectl import CommandError, Kubectl, Object

API = "admissionregistration.k8s.io/v1beta1"
CPU = "20m"


def manifests(namespace: str) -> list[Object]:
    """The policy and its binding, for one namespace."""
    name = f"small-workers-{namespace}"
    path = "/spec/containers/0/resources/requests/cpu"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    where = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "objectSelector": {
            "matchExpressions": [{"key": "tidegate.io/inferenceservice", "operator": "Exists"}]
        },
        "resourceRules": [pods],
    }
    change = f'[JSONPatch{{op: "replace", path: "{path}", value: "{CPU}"}}]'
    spec = {
        "matchConstraints": where,
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": change}}],
    }
    policy = {"apiVersion": API, "kind": "MutatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec}
    binding = {
        "apiVersion": API,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name},
    }
    return [policy, binding]


def make_small(kubectl: Kubectl, namespace: str) -> bool:
    """Whether workers of this namespace are small from now on: some clusters know no such policy."""
    try:
        kubectl.apply(*manifests(namespace))
    except CommandError as error:
        if "no matches for kind" in str(error):
            return False
        raise
    return True


def forget(kubectl: Kubectl, namespace: str) -> None:
    """Takes policy and binding away."""
    kinds = "mutatingadmissionpolicybindings,mutatingadmissionpolicies"
    kubectl.run("delete", kinds, f"small-workers-{namespace}", "--ignore-not-found")
