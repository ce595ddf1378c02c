"""A metrics API in the cluster that reads the gateways' own metrics, as an adapter of Prometheus would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.kubectl import ROOT, Kubectl, Object, eventually
from tests.e2e.services import ENGINE_SIM
from tests.metrics_api.manifests import api_service
from tidegate.devcluster.certificates import new_authority

NAMESPACE = "metrics-api"
PORT = 8443


@contextmanager
def metrics_backend(kubectl: Kubectl, gateways: list[Object], folder: Path) -> Iterator[None]:
    """It serves external.metrics.k8s.io from these gateway pods; gone at the end of the block."""
    authority = new_authority(folder)
    authority.server("tls", "metrics-api", [f"metrics-api.{NAMESPACE}.svc"])
    registration = api_service(NAMESPACE, "metrics-api", PORT, authority.ca.read_bytes())
    name = registration["metadata"]["name"]
    try:
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        kubectl.apply(*_program(kubectl, folder), _deployment(gateways), _service(), registration)
        kubectl.run("rollout", "status", "-n", NAMESPACE, "deployment/metrics-api", timeout=200)
        kubectl.run("wait", "--for=condition=Available", f"apiservice/{name}", "--timeout=180s", timeout=200)
        yield
    finally:
        kubectl.run("delete", "apiservice", name, "--ignore-not-found")
        kubectl.run("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")
        eventually(
            lambda: kubectl.get("pods", "-n", NAMESPACE)["items"] == [],
            "the metrics API is gone",
            seconds=120,
        )


def _program(kubectl: Kubectl, folder: Path) -> list[Object]:
    """What it runs, what proves it, and by whom the API server is proved to it."""
    known = kubectl.get("configmap", "extension-apiserver-authentication", "-n", "kube-system")["data"]
    proofs = {f"tls.{end}": (folder / f"tls.{end}").read_text() for end in ("crt", "key")}
    metadata = {"name": "metrics-api", "namespace": NAMESPACE}
    program = (ROOT / "tests" / "metrics_api" / "server.py").read_text()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"server.py": program}}
    return [secret | {"stringData": proofs | {"proxy-ca.crt": known["requestheader-client-ca-file"]}}, code]


def _deployment(gateways: list[Object]) -> Object:
    asked = [f"--gateway=http://{pod['status']['podIP']}:9090" for pod in gateways]
    proofs = ["--cert=/tls/tls.crt", "--key=/tls/tls.key", "--proxy-ca=/tls/proxy-ca.crt"]
    container = {
        "name": "metrics-api",
        "image": ENGINE_SIM,  # any image with Python
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/program/server.py", *proofs, *asked, f"--port={PORT}"],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "program", "mountPath": "/program"},
            {"name": "tls", "mountPath": "/tls"},
        ],
    }
    volumes = [
        {"name": "program", "configMap": {"name": "metrics-api"}},
        {"name": "tls", "secret": {"secretName": "metrics-api"}},
    ]
    labels = {"app": "metrics-api"}
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "metrics-api", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-api", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "metrics-api"}, "ports": [{"port": PORT}]},
    }
