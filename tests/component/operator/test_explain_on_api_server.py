"""``tidegate explain`` before a real API server: what a running operator has told, and who may read it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.component.kube.objects import MANAGER
from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, failed_status, ready_status
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import Json

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


@dataclass
class Said:
    """What one call said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """The sentences, without their line breaks."""
        return " ".join(self.out.split())


Explain = Callable[..., Awaitable[Said]]


async def explain(kubeconfig: Path, *arguments: str) -> Said:
    """``tidegate explain ARGUMENTS`` as a person calls it."""
    environment = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidegate.cli", "explain", *arguments),
        env=environment | {"KUBECONFIG": str(kubeconfig)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture
def asked(server: ApiServer, world: World) -> Explain:
    """The administrator asks about a service of this test."""

    async def ask(*arguments: str) -> Said:
        return await explain(server.kubeconfig, *arguments, "-n", world.namespace)

    return ask


async def _desired(world: World, name: str, count: int) -> None:
    async def told() -> bool:
        found = (await world.get(name)).get("status", {}).get("scaling") or {}
        return bool(found.get("desired") == count)

    await eventually(told, f"status.scaling says {count}")


async def test_asleep_it_says_what_wakes_it(world: World, asked: Explain) -> None:
    await world.idle("qwen")
    said = await asked("qwen")
    assert (said.code, said.err) == (0, "")
    assert said.text.startswith(f"qwen in namespace {world.namespace} is asleep")
    assert "The next request wakes it" in said.text
    assert "At most 128 requests wait or run at once" in said.text
    assert max(len(line) for line in said.out.splitlines()) <= 100
    assert "Not read" not in said.out


async def test_while_it_starts_it_names_the_worker_and_how_far_it_has_come(
    world: World, asked: Explain
) -> None:
    await world.idle("qwen")
    await world.scale("qwen", 1)
    await world.pod("qwen", "qwen-1", {"phase": "Pending"})
    await _desired(world, "qwen", 1)
    said = await asked("qwen")
    assert "is starting: no worker is ready yet" in said.text
    assert "1 worker wanted" in said.text
    assert "Woken: " in said.text
    assert "qwen-1, made" in said.text
    assert "a worker waits for a node" in said.text


async def test_running_it_says_when_it_sleeps_and_what_would_add_a_worker(
    world: World, asked: Explain, stage: Stage
) -> None:
    metric = {"type": "RequestCount", "requestCount": {"perReplica": 10}}
    await world.idle("qwen", scaling={"maxReplicas": 3, "idleTimeoutSeconds": 600, "metric": metric})
    await world.scale("qwen", 1)
    await world.pod("qwen", "qwen-1", ready_status(time.time() - 5))
    await world.phase("qwen", "Running")
    stage.gateway.tell(f"{world.namespace}/qwen", inFlight=0, idleSeconds=0.0)
    said = await asked("qwen")
    assert "One more is started when 11 requests wait or run; 3 workers at most." in said.text
    assert "It goes to sleep 600 s (scaling.idleTimeoutSeconds) after its last request ended" in said.text
    stage.gateway.tell(f"{world.namespace}/qwen", inFlight=25)
    await _desired(world, "qwen", 3)
    said = await asked("qwen")
    assert "3 workers wanted" in said.text
    assert "Demand: " in said.text
    assert "25 " in said.text
    assert "No more are started: scaling.maxReplicas is 3." in said.text


async def test_gateways_that_cannot_be_asked_are_said_to_be_missing(world: World, asked: Explain) -> None:
    await world.idle("qwen")
    said = await asked("qwen", "--ask-gateways")
    assert (said.code, said.err) == (0, "")
    assert "Not read gateways: " in said.text
    assert "so the numbers of requests are those of the status." in said.text


async def test_a_failed_start_names_the_cause_before_anything_else(world: World, asked: Explain) -> None:
    await world.idle("qwen")
    await world.scale("qwen", 1)
    await world.pod("qwen", "qwen-1", failed_status("ModelNotFound: no such model"))
    await world.phase("qwen", "Failed")
    said = await asked("qwen")
    problem = said.text.index("Problem ModelNotFound: ")
    assert problem < said.text.index("Workers ")
    assert "What to do: Check model.uri" in said.text


async def test_in_mode_external_it_says_who_wrote_the_number_last(world: World, asked: Explain) -> None:
    await world.idle("qwen", scaling={"mode": "External"}, replicas=0)
    scale = paths.inference_service_scale(world.namespace, "qwen")
    await world.kube.merge_patch(scale, {"spec": {"replicas": 2}}, field_manager="somebody")
    await _desired(world, "qwen", 2)
    said = await asked("qwen")
    assert "spec.replicas is 2" in said.text
    assert "Field manager somebody wrote it last" in said.text
    assert "through the scale subresource" in said.text


async def test_as_json_it_is_the_same_for_programs(world: World, asked: Explain) -> None:
    await world.create("qwen", suspend=True)
    await world.phase("qwen", "Suspended")
    document = json.loads((await asked("qwen", "-o", "json")).out)
    assert document["name"] == "qwen"
    assert {"title": "Next", "sentences": ["Nothing is started until spec.suspend is false."]} in document[
        "topics"
    ]
    assert document["status"]["phase"] == "Suspended"


async def test_a_wrong_name_is_answered_with_those_near_it(world: World, asked: Explain) -> None:
    await world.idle("qwen-small")
    said = await asked("qwen-smal")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        f"tidegate: there is no InferenceService qwen-smal in namespace {world.namespace}; "
        "did you mean qwen-small?\n"
    )


async def test_a_name_of_another_namespace_is_answered_with_that(server: ApiServer, world: World) -> None:
    name = f"only-{world.namespace}"
    await world.idle(name)
    said = await explain(server.kubeconfig, name)
    assert said.code == 1
    assert said.err.endswith(f"in namespace default; there is one in {world.namespace}: name it with -n\n")


async def _user(server: ApiServer, world: World, folder: Path, *rules: Json) -> Path:
    """The kubeconfig of an account with these rights in its namespace, which is its context's."""
    accounts = f"/api/v1/namespaces/{world.namespace}/serviceaccounts"
    metadata = {"name": "somebody", "namespace": world.namespace}
    subject = {"kind": "ServiceAccount", **metadata}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "somebody"}
    objects: list[tuple[str, Json]] = [
        (accounts, {"metadata": metadata}),
        (f"{RBAC}/{world.namespace}/roles", {"metadata": metadata, "rules": list(rules)}),
        (
            f"{RBAC}/{world.namespace}/rolebindings",
            {"metadata": metadata, "subjects": [subject], "roleRef": role},
        ),
    ]
    for path, body in objects:
        await world.kube.create(path, body, field_manager=MANAGER)
    token = await world.kube.create(f"{accounts}/somebody/token", {"spec": {}}, field_manager=MANAGER)
    config: dict[str, Any] = yaml.safe_load(server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token["status"]["token"]}
    config["contexts"][0]["context"]["namespace"] = world.namespace
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


async def test_without_the_right_it_says_which_is_missing(
    server: ApiServer, world: World, tmp_path: Path
) -> None:
    kubeconfig = await _user(server, world, tmp_path)
    said = await explain(kubeconfig, "qwen")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(
        f"tidegate: you may not read the InferenceServices of namespace {world.namespace}: "
        f'User "system:serviceaccount:{world.namespace}:somebody" cannot get resource "inferenceservices"'
    )


async def test_who_may_read_the_service_alone_is_told_what_the_rest_would_have_said(
    server: ApiServer, world: World, tmp_path: Path
) -> None:
    await world.idle("qwen")
    rule = {"apiGroups": ["tidegate.io"], "resources": ["inferenceservices"], "verbs": ["get"]}
    kubeconfig = await _user(server, world, tmp_path, rule)
    said = await explain(kubeconfig, "qwen")
    assert (said.code, said.err) == (0, "")
    assert "is asleep" in said.text, "the namespace is that of the context"
    assert 'cannot list resource "pods"' in said.text
    assert "horizontalpodautoscalers" not in said.text, "nobody else sets the number"


async def test_a_cluster_that_does_not_answer_is_a_sentence(server: ApiServer, tmp_path: Path) -> None:
    config = yaml.safe_load(server.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    said = await explain(tmp_path / "kubeconfig", "qwen")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("tidegate: ")
    assert "no connection" in said.err
    assert said.err.count("\n") == 1
    assert "see whether kubectl cluster-info does" in said.err


async def test_a_name_as_kubectl_takes_it_is_told_how_to_be_written(server: ApiServer) -> None:
    said = await explain(server.kubeconfig, "infsvc/qwen")
    assert (said.code, said.out) == (1, "")
    assert said.err == "tidegate: 'infsvc/qwen' is not the name of an InferenceService; write qwen\n"
