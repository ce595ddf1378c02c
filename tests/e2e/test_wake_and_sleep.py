"""Apply, wake, answer, sleep: on a real cluster, with the simulated engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import openai
import pytest

from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.restricted import RESTRICTED
from tests.e2e.services import ENGINE_SIM, Services, simulated

# The cluster's DNS learns of a new Service by a watch, and remembers for a while that there was none.
BY_NAME = """
import socket, time, urllib.error, urllib.request
for _ in range(120):
    try:
        print(urllib.request.urlopen({url!r}).read().decode())
        break
    except urllib.error.URLError as error:
        if not isinstance(error.reason, socket.gaierror):
            raise
        time.sleep(1)
else:
    raise SystemExit("the name is not known")
"""
MESSAGES = [{"role": "user", "content": "Tell me of the tide."}]


def chat(gateway: Gateway, namespace: str, name: str) -> httpx.Response:
    """One chat request to a service, by its path."""
    body = {"model": name, "messages": MESSAGES, "max_tokens": 4}
    return httpx.post(f"{gateway.url}/{namespace}/{name}/v1/chat/completions", json=body, timeout=200)


def metric(gateway: Gateway, name: str, service: str) -> float:
    """The sum of a metric's samples for one service."""
    lines = httpx.get(f"{gateway.admin}/metrics", timeout=60).text.splitlines()
    ours = [line for line in lines if line.startswith(f"{name}{{") and f'service="{service}"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in ours)


def test_a_new_service_starts_no_pod_and_stays_idle(services: Services) -> None:
    services.create("calm")
    assert services.deployment("calm")["spec"]["replicas"] == 0
    assert services.pods("calm") == []


def test_a_second_reconcile_of_a_sleeping_service_wakes_nothing(services: Services, kubectl: Kubectl) -> None:
    manifest = services.create("calm")
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = 4
    services.apply(manifest)
    eventually(
        lambda: services.get("calm")["status"]["observedGeneration"] == 2,
        "the change was observed",
        seconds=120,
    )
    assert services.deployment("calm")["spec"]["replicas"] == 0
    assert services.pods("calm") == []


def test_twenty_requests_at_once_wake_a_sleeping_service_once_and_all_are_answered(
    services: Services, gateway: Gateway
) -> None:
    services.create("burst", idle=300, ENGINE_START_DELAY_SECONDS="1")
    generation = services.deployment("burst")["metadata"]["generation"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: chat(gateway, services.namespace, "burst"), range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert metric(gateway, "gateway_wakes_total", "burst") == 1
    assert services.deployment("burst")["metadata"]["generation"] == generation + 1
    assert len(services.pods("burst")) == 1


def test_an_idle_service_goes_back_to_zero_and_wakes_again(services: Services, gateway: Gateway) -> None:
    services.create("tidal")
    for number in (1, 2):
        assert chat(gateway, services.namespace, "tidal").status_code == 200
        services.wait_started("tidal", number)
        services.wait_phase("tidal", "Idle", seconds=120)
        eventually(lambda: services.pods("tidal") == [], "the pod is gone", seconds=120)
        assert services.deployment("tidal")["spec"]["replicas"] == 0
    assert metric(gateway, "gateway_wakes_total", "tidal") == 2
    eventually(lambda: services.events("tidal", "Woken") == [2], "one Event counts both wakes", seconds=120)


def test_the_worker_is_guaranteed_on_one_exclusive_core_and_others_have_the_rest(
    services: Services, gateway: Gateway, kubectl: Kubectl
) -> None:
    manifest = simulated("pinned", services.namespace)
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = 600  # it must outlast the kubelet's round, see below
    services.apply(manifest)
    assert chat(gateway, services.namespace, "pinned").status_code == 200
    pod = services.pods("pinned")[0]
    assert pod["status"]["qosClass"] == "Guaranteed"
    allowed = ("grep", "Cpus_allowed_list", "/proc/1/status")
    name = pod["metadata"]["name"]
    mine = kubectl.run("exec", "-n", services.namespace, name, "--", *allowed).split()[-1]
    assert mine.isdigit()
    gateway_pod = ("-n", "tidegate-system", "deploy/tidegate-gateway")

    def others() -> list[str]:
        shown = kubectl.run("exec", *gateway_pod, "--", *allowed).split()[-1]
        return shown.replace("-", ",").split(",")

    # The kubelet takes the core away from the others in its next round, every 10 s by default.
    eventually(lambda: mine not in others(), f"core {mine} is the worker's alone", seconds=120)


def test_the_official_client_streams_from_zero(services: Services, gateway: Gateway) -> None:
    services.create("talk")
    client = openai.OpenAI(
        base_url=f"{gateway.url}/{services.namespace}/talk/v1", api_key="unused", timeout=90, max_retries=0
    )
    stream = client.chat.completions.create(
        model="talk", messages=[{"role": "user", "content": "Tell me."}], max_tokens=8, stream=True
    )
    assert len([chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content]) >= 8


def test_a_client_in_the_cluster_reaches_a_service_by_name(services: Services, kubectl: Kubectl) -> None:
    services.create("named")
    url = f"http://named.{services.namespace}.svc.cluster.local/v1/models"
    container = {
        "name": "client",
        "image": ENGINE_SIM,  # any image with Python
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "python3",
            "-c",
            BY_NAME.format(url=url),
        ],
        "securityContext": RESTRICTED,
    }
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "client", "namespace": services.namespace},
            "spec": {"restartPolicy": "Never", "containers": [container]},
        }
    )
    done = ("wait", "pod/client", "-n", services.namespace, "--timeout=180s")
    kubectl.run(*done, "--for=jsonpath={.status.phase}=Succeeded", timeout=200)
    assert json.loads(kubectl.run("logs", "client", "-n", services.namespace))["data"][0]["id"] == "named"


def test_a_budget_is_there_while_there_may_be_several_workers(services: Services, kubectl: Kubectl) -> None:
    def services_with_budgets() -> list[str]:
        found = kubectl.get("poddisruptionbudgets", "-n", services.namespace)["items"]
        return [budget["metadata"]["labels"]["tidegate.io/inferenceservice"] for budget in found]

    manifest = simulated("wide", services.namespace)
    for workers in (2, 1, 2):
        manifest["spec"]["scaling"]["maxReplicas"] = workers
        services.apply(manifest)
        expected = ["wide"] * (workers - 1)
        eventually(partial(_equal, services_with_budgets, expected), f"budgets of {expected}", seconds=120)


def _equal(ask: Callable[[], list[str]], expected: list[str]) -> bool:
    return ask() == expected


def test_a_deployment_deleted_by_hand_comes_back_asleep(services: Services, kubectl: Kubectl) -> None:
    services.create("phoenix")
    old = services.deployment("phoenix")["metadata"]["uid"]
    kubectl.run("delete", "deployment", "phoenix-worker", "-n", services.namespace)
    arguments = ("deployment", "-n", services.namespace)
    eventually(
        lambda: [each["metadata"]["uid"] != old for each in kubectl.get(*arguments)["items"]] == [True],
        "the Deployment is back",
        seconds=120,
    )
    assert services.deployment("phoenix")["spec"]["replicas"] == 0


def test_a_deleted_service_leaves_nothing(services: Services, gateway: Gateway, kubectl: Kubectl) -> None:
    services.create("brief")
    assert chat(gateway, services.namespace, "brief").status_code == 200
    kubectl.run("delete", "inferenceservices.tidegate.io", "brief", "-n", services.namespace)
    kinds = "deployments,services,pods,replicasets"
    selector = "tidegate.io/inferenceservice=brief"
    eventually(
        lambda: kubectl.get(kinds, "-n", services.namespace, "-l", selector)["items"] == [],
        "everything that the service owned is gone",
        seconds=120,
    )
    eventually(
        lambda: chat(gateway, services.namespace, "brief").status_code == 404,
        "the gateway knows it no more",
        seconds=120,
    )


@pytest.mark.parametrize("path", ["/nobody/nothing/v1/chat/completions", "/v1/chat/completions"])
def test_an_unknown_service_is_a_404_with_an_openai_shaped_error(gateway: Gateway, path: str) -> None:
    answer = httpx.post(gateway.url + path, json={"model": "nothing", "messages": MESSAGES}, timeout=60)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "model_not_found"
    assert {"message", "type", "param"} <= error.keys()
