"""Workers that ask for a fiftieth of a core, so that many fit on a node that has one to give.

A worker's cores are whole, by the schema. A MutatingAdmissionPolicy changes what the pods of one namespace
request as they are created; Deployments, and so everything that the operator writes, stay as they are.
"""

from __future__ import annotations

import json

from tests.e2e.kubectl import CommandError, Kubectl, Object, eventually
from tests.e2e.restricted import RESTRICTED

API = "admissionregistration.k8s.io/v1beta1"
CPU = "20m"


def manifests(namespace: str) -> list[Object]:
    """The policy and its binding, for one namespace."""
    name = f"small-workers-{namespace}"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    where = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "objectSelector": {
            "matchExpressions": [{"key": "tidegate.io/inferenceservice", "operator": "Exists"}]
        },
        "resourceRules": [pods],
    }
    first = "size(object.spec.?initContainers.orValue([])) > 0"  # the step that fills a cache
    change = f"{_smaller('containers')} + ({first} ? {_smaller('initContainers')} : [])"
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


def _smaller(kind: str) -> str:
    return f'[JSONPatch{{op: "replace", path: "/spec/{kind}/0/resources/requests/cpu", value: "{CPU}"}}]'


def make_small(kubectl: Kubectl, namespace: str) -> bool:
    """Whether workers of this namespace are small from now on: some clusters know no such policy."""
    try:
        kubectl.apply(*manifests(namespace))
    except CommandError as error:
        if "no matches for kind" in str(error):
            return False
        raise
    # An API server obeys a policy a moment after it has stored it: a worker made before takes the one core.
    eventually(lambda: _is_small(kubectl, namespace), f"workers of {namespace} are small", seconds=30)
    return True


def _is_small(kubectl: Kubectl, namespace: str) -> bool:
    """What a worker's pod would be, if one were made now."""
    resources = {"requests": {"cpu": "1", "memory": "16Mi"}}
    container = {"name": "engine", "image": "any", "resources": resources, "securityContext": {**RESTRICTED}}
    labels = {"tidegate.io/inferenceservice": "probe"}
    metadata = {"generateName": "probe-", "namespace": namespace, "labels": labels}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    arguments = ("create", "--dry-run=server", "-o", "json", "-f", "-")
    try:
        made = json.loads(kubectl.run(*arguments, stdin=json.dumps(pod)))
    except CommandError as error:
        if "serviceaccount" in str(error):  # a namespace gets its account a moment after it was made
            return False
        raise
    return bool(made["spec"]["containers"][0]["resources"]["requests"]["cpu"] == CPU)


def forget(kubectl: Kubectl, namespace: str) -> None:
    """Takes policy and binding away."""
    kinds = "mutatingadmissionpolicybindings,mutatingadmissionpolicies"
    kubectl.run("delete", kinds, f"small-workers-{namespace}", "--ignore-not-found")
