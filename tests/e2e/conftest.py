"""One cluster with tidegate on it for the session, one namespace for each test."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.e2e.kubectl import Kubectl, Object, eventually
from tests.e2e.services import Services
from tests.e2e.small_workers import forget, make_small
from tidegate.devcluster.ports import free_ports

TOOL = (sys.executable, "-m", "tidegate.devcluster")


def tool(*arguments: str, timeout: float) -> str:
    """What the development cluster's tool prints; its progress goes to the terminal."""
    done = subprocess.run(
        [*TOOL, *arguments], stdout=subprocess.PIPE, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        pytest.exit(
            f"tidegate.devcluster {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}", 1
        )
    return done.stdout


def tool_environment() -> dict[str, str]:
    """This process's environment with the cluster's kubeconfig and binaries."""
    environment = dict(os.environ)
    for line in tool("env", timeout=200).splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        environment[name] = "".join(shlex.split(value))
    return environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the whole run comes last; the others stay in their order."""
    items.sort(key=lambda item: item.path.name == "test_rights_used.py")


@pytest.fixture(scope="session", autouse=True)
def session_began() -> str:
    """When these tests began, as the API server's audit log writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """A running cluster with the images; taken down again where the session had to start it."""
    was_up = (
        subprocess.run([*TOOL, "status"], stdout=subprocess.DEVNULL, timeout=60, check=False).returncode == 0
    )
    tool("up", timeout=3000)
    try:
        real = any(item.get_closest_marker("vllm") for item in request.session.items)
        tool("images", "operator", "sim", *(["worker"] if real else []), timeout=3000)
        yield Kubectl(tool_environment())
    finally:
        if not was_up:
            tool("down", timeout=300)


def install(kubectl: Kubectl, *more: str) -> None:
    """tidegate from its chart, with the values of the tests and ``more`` arguments for helm."""
    kubectl.command(
        *("helm", "upgrade", "--install", "tidegate", "charts/tidegate"),
        *("--namespace", "tidegate-system", "--create-namespace", "--values", "tests/e2e/values.yaml"),
        *("--wait", "--timeout", "5m", *more),
        timeout=400,
    )


def restart(kubectl: Kubectl) -> None:
    """Both programs anew: their image may be a newer one under the same tag."""
    deployments = ("deployment/tidegate-operator", "deployment/tidegate-gateway")
    kubectl.run("rollout", "restart", "-n", "tidegate-system", *deployments)
    for deployment in deployments:
        kubectl.run("rollout", "status", "-n", "tidegate-system", deployment, "--timeout=180s", timeout=200)


@pytest.fixture(scope="session")
def kubectl(cluster: Kubectl) -> Iterator[Kubectl]:
    """The cluster with tidegate installed; uninstalled again where the session installed it."""
    was_installed = "tidegate" in cluster.command("helm", "list", "-n", "tidegate-system", "-q").split()
    install(cluster)
    if was_installed:
        restart(cluster)
    try:
        yield cluster
    finally:
        if not was_installed:
            cluster.command("helm", "uninstall", "tidegate", "-n", "tidegate-system", "--wait", timeout=200)


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A fresh namespace under the restricted Pod Security Standard. After the test its pods are gone; the
    rest goes some seconds later."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        eventually(lambda: _has_account(kubectl, name), f"pods may be made in {name}", seconds=120)
        yield name
    finally:
        kubectl.run("delete", "namespace", name, "--wait=false")
        eventually(
            lambda: kubectl.get("pods", "-n", name)["items"] == [],
            f"the pods of {name} are gone",
            seconds=120,
        )


def _has_account(kubectl: Kubectl, namespace: str) -> bool:
    """Whether a new namespace has got the account that its pods run as."""
    accounts = kubectl.get("serviceaccounts", "-n", namespace)["items"]
    return "default" in {each["metadata"]["name"] for each in accounts}


@pytest.fixture
def services(kubectl: Kubectl, namespace: str) -> Services:
    """Makes InferenceServices in the test's namespace."""
    return Services(kubectl, namespace)


@pytest.fixture
def room_for_two(kubectl: Kubectl, services: Services) -> Iterator[None]:
    """Two workers fit on a node that has one core to give."""
    try:
        if not make_small(kubectl, services.namespace):
            pytest.skip("this cluster cannot make workers small, and two of them do not fit")
        yield
    finally:
        forget(kubectl, services.namespace)


def reachable(host: str, port: int) -> bool:
    """Whether a connection to the address opens within a second."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


class Gateway:
    """Where the gateway's two ports are reached from this process."""

    def __init__(self, url: str, admin: str) -> None:
        self.url = url
        self.admin = admin


def gateway_pods(kubectl: Kubectl, *, ending: bool = False, system: str = "tidegate-system") -> list[Object]:
    """The gateway pods of an installation; those on their way out only where they are asked for."""
    pods = kubectl.get("pods", "-n", system, "-l", "app.kubernetes.io/component=gateway")["items"]
    return [pod for pod in pods if ending or "deletionTimestamp" not in pod["metadata"]]


@contextmanager
def reached(kubectl: Kubectl, pod: Object) -> Iterator[Gateway]:
    """A gateway pod: by its address where this machine routes to it, else by a port-forward."""
    address = pod["status"]["podIP"]
    if reachable(address, 8080):
        yield Gateway(f"http://{address}:8080", f"http://{address}:9090")
        return
    ports = free_ports(2)
    metadata = pod["metadata"]
    forward = ["kubectl", "-n", metadata["namespace"], "port-forward", f"pod/{metadata['name']}"]
    process = subprocess.Popen(
        [*forward, f"{ports[0]}:8080", f"{ports[1]}:9090"], env=kubectl.environment, stdout=subprocess.DEVNULL
    )
    try:
        eventually(lambda: reachable("127.0.0.1", ports[1]), "the port-forward listens", seconds=120)
        yield Gateway(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}")
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture
def gateway(kubectl: Kubectl) -> Iterator[Gateway]:
    """The one gateway."""
    [pod] = gateway_pods(kubectl)
    with reached(kubectl, pod) as found:
        yield found
