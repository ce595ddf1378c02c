"""``tidegate retire`` on a real API server: our labels go, others stay, a second run has nothing to do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.component.operator.harness import World
from tidegate.cli import main
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.resources.names import CPU_POLICY_LABEL, FIELD_MANAGER

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def labelled(world: World, name: str, manager: str) -> None:
    """A node with a label of its own, and the CPU manager policy as this manager wrote it."""
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"zone": "b"}},
    }
    await world.kube.create(paths.NODES, body, field_manager="kubelet")
    policy = {"metadata": {"labels": {CPU_POLICY_LABEL: "static"}}}
    await world.kube.merge_patch(paths.node(name), policy, field_manager=manager)


async def labels(world: World, name: str) -> set[str]:
    """The names of a node's labels."""
    return set((await world.kube.get(paths.node(name)))["metadata"]["labels"])


async def test_our_labels_go_and_an_administrators_stay(
    server: ApiServer, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    await labelled(world, "retire-ours", FIELD_MANAGER)
    await labelled(world, "retire-theirs", "kubectl-label")
    arguments = ["retire", "--namespace", world.namespace]
    assert await asyncio.to_thread(main, arguments) == 0
    assert await labels(world, "retire-ours") == {"zone"}
    assert await labels(world, "retire-theirs") == {"zone", CPU_POLICY_LABEL}
    lease = await world.kube.get(paths.lease(world.namespace, "tidegate-operator"))
    assert lease["spec"]["holderIdentity"] == "tidegate-retire"
    assert lease["spec"]["leaseDurationSeconds"] == 3600
    assert "node retire-ours: tidegate.io/cpu-manager-policy=static removed" in capsys.readouterr().out
    assert await asyncio.to_thread(main, arguments) == 0
    assert "0 of" in capsys.readouterr().out


async def test_without_a_cluster_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert await asyncio.to_thread(main, ["retire", "--namespace", "x"]) == 1
    assert capsys.readouterr().err.startswith("tidegate: ")
