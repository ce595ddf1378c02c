"""What a worker's cores are, by its own evidence, and workers that their kubelet rejects."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import Kubectl, Object, eventually
from tests.e2e.services import Services, simulated
from tests.e2e.test_wake_and_sleep import chat

ISOLATED = "CPUIsolated"


def long_lived(name: str, namespace: str, **environment: str) -> Object:
    """A service whose worker outlasts what is looked at here."""
    manifest = simulated(name, namespace, **environment)
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = 600
    return manifest


def test_exclusive_cores_are_told_by_the_worker_itself(services: Services, gateway: Gateway) -> None:
    services.apply(long_lived("pinned", services.namespace))
    assert chat(gateway, services.namespace, "pinned").status_code == 200
    eventually(
        lambda: services.condition("pinned", ISOLATED).get("status") == "True",
        "the worker's cores are its own by evidence",
        seconds=120,
    )
    condition = services.condition("pinned", ISOLATED)
    assert condition["reason"] == "Exclusive"
    assert "to itself" in condition["message"]
    assert services.get("pinned")["status"]["isolation"] == "Exclusive"


def test_an_image_without_evidence_and_a_service_without_isolation(
    services: Services, gateway: Gateway
) -> None:
    services.apply(long_lived("mute", services.namespace, TIDEGATE_ISOLATION_PORT="99999"))
    assert chat(gateway, services.namespace, "mute").status_code == 200
    eventually(
        lambda: "port 8001" in services.condition("mute", ISOLATED).get("message", ""),
        "nothing is known of the worker's cores",
        seconds=120,
    )
    assert services.condition("mute", ISOLATED)["status"] == "Unknown"
    manifest = long_lived("mute", services.namespace)
    manifest["spec"]["cpuIsolation"] = "None"
    services.apply(manifest)
    eventually(lambda: services.condition("mute", ISOLATED) == {}, "the condition is gone", seconds=120)


def test_a_worker_that_its_kubelet_rejects_is_not_made_again_and_again(
    services: Services, gateway: Gateway, kubectl: Kubectl
) -> None:
    services.apply(long_lived("holder", services.namespace))
    assert chat(gateway, services.namespace, "holder").status_code == 200
    [pod] = services.pods("holder")
    manifest = long_lived("refused", services.namespace)
    manifest["spec"]["scaling"]["coldStartTimeoutSeconds"] = (
        12  # two rejections are seen in it, of 30 s pause
    )
    services.apply(manifest)
    services.wait_phase("refused", "Idle", seconds=120)
    # Past the scheduler, which would see that the one exclusive core is taken: the kubelet has to say it.
    bound = {"spec": {"template": {"spec": {"nodeName": pod["spec"]["nodeName"]}}}}
    target = ("deployment", "refused-worker", "-n", services.namespace)
    kubectl.run("patch", *target, "--type=merge", "-p", json.dumps(bound))

    answer = chat(gateway, services.namespace, "refused")
    made = len(services.pods("refused"))
    status = services.get("refused")["status"]
    ready = services.condition("refused", "Ready")
    print(f"{made} pods made; Ready: {ready['reason']}: {ready['message']}")
    assert answer.status_code == 503
    assert 5 < int(answer.headers["retry-after"]) <= 30
    assert "backoffUntil" in answer.json()["error"]["reason"]
    assert status["scaling"]["desired"] == 0
    assert status["scaling"]["backoffUntil"]
    assert ready["status"] == "False"
    assert "rejected" in ready["message"]
    assert pod["spec"]["nodeName"] in ready["message"]
    assert made < 40

    kubectl.run("delete", "inferenceservices.tidegate.io", "holder", "-n", services.namespace)
    manifest["spec"]["scaling"]["coldStartTimeoutSeconds"] = 60
    services.apply(manifest)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(chat, gateway, services.namespace, "refused")
        assert waiting.result(200).status_code == 200
    assert len(services.pods("refused")) == made + 1
    services.wait_phase("refused", "Running", seconds=120)
    assert "backoffUntil" not in services.get("refused")["status"]["scaling"]
