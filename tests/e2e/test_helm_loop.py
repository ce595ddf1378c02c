"""helm install | upgrade | rollback | uninstall | install again, with a service serving.

No request is lost, and nothing is left over. One round here; ``make campaign-helm`` runs five and prints what
each step took.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.component.chart.inventory import Inventory, difference, inventory
from tests.e2e.conftest import gateway_pods, install, reached
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.services import Services, simulated
from tests.e2e.test_several_gateways import client_pod

# Where the figures of the rounds are written, as JSON; empty: nowhere.
RESULTS = os.environ.get("TIDEGATE_HELM_RESULTS", "")
ROUNDS = int(os.environ.get("TIDEGATE_HELM_ROUNDS", "1"))
RELEASE = ("tidegate", "-n", "tidegate-system")
TWO = ("--set", "gateway.replicas=2")
# Values that make every pod of the release a new one.
CHANGED = ("--set", "queue.defaultMaxDepth=64,gateway.podAnnotations.round=changed,logLevel=DEBUG")


Json = dict[str, Any]


class Steps:
    """How long each step of a round took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures a block."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def everything(kubectl: Kubectl) -> Inventory:
    """All that is on the cluster."""
    return inventory(lambda path: json.loads(kubectl.run("get", "--raw", path)))


def others_gone(kubectl: Kubectl) -> bool:
    """Whether no namespace of an earlier test is still on its way out."""
    return all(each["status"]["phase"] == "Active" for each in kubectl.get("namespaces")["items"])


def left_over(kubectl: Kubectl, before: Inventory, namespace: str) -> list[str]:
    """What is different from before, but for the namespace of the service that goes on."""
    return [
        line
        for line in difference(before, everything(kubectl))
        if f" {namespace}/" not in line and f"/{namespace}:" not in line
    ]


@contextmanager
def requests_running(kubectl: Kubectl, services: Services, name: str) -> Iterator[list[Json]]:
    """Requests without a pause, from within the cluster; what became of them is there after the block."""
    found: list[Json] = []
    pod = ("pod/client", "-n", services.namespace)
    kubectl.apply(client_pod(services.namespace, name))
    log = ("logs", "client", "-n", services.namespace)
    kubectl.run("wait", *pod, "--for=condition=Ready", "--timeout=180s", timeout=200)
    eventually(lambda: "begun" in kubectl.run(*log), "requests are answered", seconds=120)
    yield found
    kubectl.run("exec", "client", "-n", services.namespace, "--", "touch", "/tmp/stop")  # noqa: S108
    kubectl.run("wait", *pod, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s", timeout=200)
    eventually(lambda: kubectl.run(*log).splitlines()[-1].startswith("{"), "the log is whole", seconds=120)
    found.append(json.loads(kubectl.run(*log).splitlines()[-1]))
    kubectl.run("delete", *pod, "--wait", timeout=200)


def answered(kubectl: Kubectl, services: Services, name: str) -> bool:
    """Whether a request of this process gets its answer."""
    with reached(kubectl, gateway_pods(kubectl)[0]) as gateway:
        url = f"{gateway.url}/{services.namespace}/{name}/v1/chat/completions"
        return httpx.post(url, json={"model": name, "messages": []}, timeout=200).status_code == 200


def rolled_out(kubectl: Kubectl) -> None:
    """Returns when no pod of an older kind is left, those that drain included."""
    for name in ("tidegate-operator", "tidegate-gateway"):
        place = (f"deployment/{name}", "-n", "tidegate-system")
        kubectl.run("rollout", "status", *place, "--timeout=180s", timeout=200)
    selector = ("-n", "tidegate-system", "-l", "app.kubernetes.io/name=tidegate")
    eventually(
        lambda: len(kubectl.get("pods", *selector)["items"]) == 4, "four pods and no others", seconds=120
    )


def one_round(kubectl: Kubectl, services: Services, before: Inventory, steps: Steps) -> Json:
    """install | upgrade | rollback under requests | uninstall; what the requests found."""
    with steps.step("install"):
        install(kubectl, *TWO)
    assert answered(kubectl, services, "steady")
    with requests_running(kubectl, services, "steady") as found:
        with steps.step("upgrade"):
            install(kubectl, *TWO, *CHANGED)
            rolled_out(kubectl)
        with steps.step("rollback"):
            kubectl.command("helm", "rollback", *RELEASE, "--wait", "--timeout", "5m", timeout=400)
            rolled_out(kubectl)
    with steps.step("uninstall"):
        kubectl.command("helm", "uninstall", *RELEASE, "--wait", timeout=300)
    with steps.step("nothing left"):
        eventually(
            lambda: left_over(kubectl, before, services.namespace) == [], "nothing is left over", seconds=120
        )
    return found[0]


def write_results(rounds: list[Json]) -> None:
    """The figures of the rounds so far, where somebody wants them."""
    if RESULTS:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        where = {"cores": os.cpu_count(), "kernel": platform.release()}
        result = {"name": "helm", "when": when, "machine": where, "rounds": rounds}
        Path(RESULTS).write_text(json.dumps(result, indent=1) + "\n")


def test_install_upgrade_rollback_uninstall_and_install_again_lose_no_request_and_leave_nothing(
    kubectl: Kubectl, services: Services
) -> None:
    manifest = simulated("steady", services.namespace, ENGINE_TOKENS_PER_SECOND="20")
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = 900
    services.apply(manifest)
    services.wait_phase("steady", "Idle", seconds=120)
    try:
        kubectl.command("helm", "uninstall", *RELEASE, "--wait", timeout=300)
        eventually(
            lambda: gateway_pods(kubectl, ending=True) == [], "the first gateway has ended", seconds=120
        )
        eventually(lambda: others_gone(kubectl), "earlier namespaces have gone", seconds=120)
        before = {
            name: what for name, what in everything(kubectl).items() if f" {services.namespace}/" not in name
        }
        assert not [name for name, what in before.items() if "tidegate.io/cpu-manager-policy" in str(what)]
        rounds: list[Json] = []
        for number in range(1, ROUNDS + 1):
            steps = Steps()
            found = one_round(kubectl, services, before, steps)
            seconds = {name: round(took, 1) for name, took in steps.seconds.items()}
            rounds.append({"seconds": seconds, "requests": found})
            write_results(rounds)
            shown = " ".join(f"{name} {seconds:.0f} s" for name, seconds in steps.seconds.items())
            requests = f"{found['long']} streams, {found['short']} short, lost {len(found['failed'])}"
            print(f"round {number}: {shown}; {requests}")
            assert found["failed"] == []
            assert found["short"] > found["long"] > 0
    finally:
        install(kubectl)
    assert answered(kubectl, services, "steady")
