"""The HorizontalPodAutoscaler of the docs, with Kubernetes' own controller and the gateway's metric."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
import yaml

from tests.e2e import small_workers
from tests.e2e.conftest import Gateway, gateway_pods
from tests.e2e.kubectl import CommandError, Kubectl, Object, eventually
from tests.e2e.metrics_backend import metrics_backend
from tests.e2e.scale_writes import ScaleWrites
from tests.e2e.services import Services, simulated
from tests.e2e.test_wake_and_sleep import chat
from tests.metrics_api.documented import documented

pytestmark = [pytest.mark.usefixtures("metrics_api", "room"), pytest.mark.timeout(1200)]

LOOK = 15.0  # seconds between two looks of the autoscalers' controller
QUIET = 60.0  # seconds in which nobody may write


@pytest.fixture(scope="module")
def metrics_api(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The autoscalers' metrics come from the gateway that is there."""
    with metrics_backend(kubectl, gateway_pods(kubectl), tmp_path_factory.mktemp("metrics-api")):
        yield


@pytest.fixture
def room(kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """Several workers fit on the node, where the cluster can make them small."""
    small_workers.make_small(kubectl, namespace)
    try:
        yield
    finally:
        small_workers.forget(kubectl, namespace)


class Autoscaler:
    """The documentation's HorizontalPodAutoscaler for the service qwen of a namespace."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self._namespace = namespace

    def apply(self) -> str:
        """Make it, without its five minutes of patience; what kubectl prints, warnings included."""
        manifest = documented("HorizontalPodAutoscaler", self._namespace, "qwen")
        manifest["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] = 0
        return self._kubectl.command(*("sh", "-c", "kubectl apply -f - 2>&1"), stdin=yaml.safe_dump(manifest))

    def condition(self, kind: str) -> Object:
        """One of its conditions, empty before it has it."""
        found = self._kubectl.get("hpa", "qwen", "-n", self._namespace)
        conditions = found.get("status", {}).get("conditions", [])
        each: Object = next((each for each in conditions if each["type"] == kind), {})
        return each

    def says(self, kind: str, status: str, reason: str) -> None:
        """Returns when it says so."""

        def said() -> bool:
            found = self.condition(kind)
            return (found.get("status"), found.get("reason")) == (status, reason)

        eventually(said, f"{kind} is {status}, {reason}", seconds=8 * LOOK)

    def warnings(self) -> list[str]:
        """The Events that say of it that something is wrong."""
        events = self._kubectl.get("events", "-n", self._namespace)["items"]
        ours = (each for each in events if each["involvedObject"]["kind"] == "HorizontalPodAutoscaler")
        return [f"{each['reason']}: {each['message']}" for each in ours if each["type"] == "Warning"]


@pytest.fixture
def autoscaler(kubectl: Kubectl, namespace: str) -> Autoscaler:
    """Not made yet."""
    return Autoscaler(kubectl, namespace)


def _service(namespace: str, seconds: float, **scaling: object) -> Object:
    """The service qwen, whose requests take so long."""
    manifest = simulated("qwen", namespace, ENGINE_REQUEST_SECONDS=str(seconds))
    manifest["spec"]["scaling"] |= scaling
    manifest["spec"]["engine"]["maxConcurrency"] = 64  # so that all that are sent at once end at once
    return manifest


@contextmanager
def _requests(gateway: Gateway, namespace: str, count: int) -> Iterator[list[Future[httpx.Response]]]:
    """So many at once; each of them is answered by the end of the block."""
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(chat, gateway, namespace, "qwen") for _ in range(count)]
        yield futures
        assert [each.result().status_code for each in futures] == [200] * count


def _wanted(services: Services, count: int) -> None:
    eventually(
        lambda: services.deployment("qwen")["spec"]["replicas"] == count,
        f"{count} workers are wanted",
        seconds=8 * LOOK,
    )


def _settled(writes: ScaleWrites) -> None:
    """Returns when nobody has written for two seconds."""
    seen = [writes.so_far()]

    def still() -> bool:
        time.sleep(2)
        seen.append(writes.so_far())
        return seen[-1] == seen[-2]

    eventually(still, "nobody writes any more", seconds=120)


def _owners(services: Services, kubectl: Kubectl) -> list[tuple[str, str]]:
    """Manager and subresource of each that owns spec.replicas."""
    shown = ("infsvc", "qwen", "-n", services.namespace, "--show-managed-fields", "-o", "json")
    fields = json.loads(kubectl.run("get", *shown))["metadata"]["managedFields"]
    owns = (each for each in fields if "f:replicas" in each["fieldsV1"].get("f:spec", {}))
    return [(each["manager"], each.get("subresource", "")) for each in owns]


def _switch(kubectl: Kubectl, namespace: str, mode: str) -> str:
    """Write the mode and nothing else; what kubectl prints, warnings included."""
    patch = json.dumps({"spec": {"scaling": {"mode": mode}}})
    command = f"kubectl patch infsvc qwen -n {namespace} --type merge -p '{patch}' 2>&1"
    return kubectl.command("sh", "-c", command)


def test_in_external_it_scales_from_one_to_three_and_back_and_nobody_writes_for_a_minute(
    services: Services, kubectl: Kubectl, gateway: Gateway, autoscaler: Autoscaler
) -> None:
    manifest = _service(services.namespace, 60, mode="External")
    services.apply(manifest | {"spec": manifest["spec"] | {"replicas": 1}})
    services.wait_phase("qwen", "Running", seconds=120)
    assert "Warning" not in autoscaler.apply()
    writes = ScaleWrites(services.namespace, "qwen")
    before = writes.so_far()
    with _requests(gateway, services.namespace, 60):
        _wanted(services, 3)
        assert _owners(services, kubectl) == [("kube-controller-manager", "scale")]
        autoscaler.says("AbleToScale", "True", "ReadyForNewScale")
        autoscaler.says("ScalingActive", "True", "ValidMetricFound")
        eventually(lambda: len(services.pods("qwen")) == 3, "the operator follows", seconds=120)
    _wanted(services, 1)
    eventually(lambda: len(services.pods("qwen")) == 1, "the others have gone", seconds=120)
    _settled(writes)
    quiet, looked = writes.so_far(), writes.looks()
    time.sleep(QUIET)
    assert writes.so_far() == quiet, "an idle minute costs no write"
    assert writes.looks() > looked, "though it was looked at"
    assert autoscaler.warnings() == []
    numbers = {who: count for who, count in (quiet - before).items() if who[1].endswith("/scale")}
    assert numbers == {
        ("autoscaler", "inferenceservices/scale"): 2,
        ("tidegate-operator", "deployments/scale"): 2,
    }


def test_in_managed_it_is_told_why_not_and_the_service_goes_on_by_tidegates_decisions(
    services: Services, kubectl: Kubectl, gateway: Gateway, autoscaler: Autoscaler
) -> None:
    services.apply(_service(services.namespace, 1))
    services.wait_phase("qwen", "Idle", seconds=120)
    writes = ScaleWrites(services.namespace, "qwen")
    before = writes.so_far()
    warned = autoscaler.apply()
    assert f"InferenceService {services.namespace}/qwen is in scaling.mode Managed" in warned
    assert "set spec.scaling.mode to External, or delete the autoscaler" in warned
    autoscaler.says("AbleToScale", "False", "FailedGetScale")
    with pytest.raises(CommandError, match=r"scaling\.mode is Managed.*or set scaling\.mode to External"):
        kubectl.run("scale", "infsvc", "qwen", "-n", services.namespace, "--replicas=3")
    looked = writes.looks()
    assert chat(gateway, services.namespace, "qwen").status_code == 200
    services.wait_phase("qwen", "Idle", seconds=120)
    eventually(lambda: writes.looks() >= looked + 2, "it looks again and again", seconds=8 * LOOK)
    _settled(writes)
    after = writes.so_far() - before
    assert [who for who in after if who[0] == "autoscaler"] == [], "it never comes to write"
    numbers = {who: count for who, count in after.items() if who[1] == "deployments/scale"}
    assert numbers == {
        ("tidegate-gateway", "deployments/scale"): 1,
        ("tidegate-operator", "deployments/scale"): 1,
    }


def test_the_mode_changes_there_and_back_beside_it_and_a_request_does_not_notice(
    services: Services, kubectl: Kubectl, gateway: Gateway, autoscaler: Autoscaler
) -> None:
    services.apply(_service(services.namespace, 100))
    services.wait_phase("qwen", "Idle", seconds=120)
    autoscaler.apply()
    writes = ScaleWrites(services.namespace, "qwen")
    with _requests(gateway, services.namespace, 1):
        services.wait_phase("qwen", "Running", seconds=120)
        _settled(writes)
        before = writes.so_far()
        assert "spec.replicas: set to 1" in _switch(kubectl, services.namespace, "External")
        autoscaler.says("ScalingActive", "True", "ValidMetricFound")
        assert services.get("qwen")["spec"]["replicas"] == 1
        assert "tidegate sets the number of workers from now on" in _switch(
            kubectl, services.namespace, "Managed"
        )
        autoscaler.says("AbleToScale", "False", "FailedGetScale")
        assert "replicas" not in services.get("qwen")["spec"]
        assert [who for who in writes.so_far() - before if who[1].endswith("/scale")] == []
    services.wait_phase("qwen", "Idle", seconds=120)
