"""What is taken back before an uninstallation, in which order, and what is left alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tidegate.controller import retire as module
from tidegate.controller.retire import retire
from tidegate.domain.lease import LeaseRecord
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import ForbiddenError, KubeError, PatchTestError

LABEL = "tidegate.io/cpu-manager-policy"


def node(name: str, manager: str | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {"zone": "b"}}
    if manager:
        fields: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}
        metadata["labels"][LABEL] = "static"
        metadata["managedFields"] = [{"manager": manager, "fieldsV1": fields}]
    return {"metadata": metadata}


@dataclass
class Cluster:
    nodes: list[dict[str, Any]]
    said: list[str] = field(default_factory=list)
    patched: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    refusal: KubeError | None = None
    record: LeaseRecord | None = None

    async def seize(self, holder: str, duration: float) -> None:
        assert (holder, duration) == ("tidegate-retire", 3600.0)
        self.events.append("seized")
        self.record = LeaseRecord(holder, "7", duration)

    async def read(self) -> LeaseRecord | None:
        return self.record

    async def release(self, based_on: LeaseRecord) -> None:
        assert based_on == self.record
        self.events.append("released")

    async def list_all(self, _path: str) -> tuple[list[dict[str, Any]], str]:
        self.events.append("listed")
        return self.nodes, "1"

    async def json_patch(self, path: str, operations: list[dict[str, Any]], **_: object) -> None:
        if self.refusal:
            raise self.refusal
        test, remove = operations
        assert test == {"op": "test", "path": remove["path"], "value": "static"}
        name = path.rpartition("/")[2]
        self.patched.append(name)
        [found] = [each for each in self.nodes if each["metadata"]["name"] == name]
        del found["metadata"]["labels"][LABEL]

    async def run(self) -> int:
        return await retire(cast(KubeClient, self), self, self.said.append)


async def test_our_labels_go_an_administrators_stay_and_a_second_run_has_nothing_to_do() -> None:
    cluster = Cluster([node("a", "tidegate-operator"), node("b", "kubectl-label"), node("c", None)])
    assert await cluster.run() == 1
    assert cluster.patched == ["a"]
    assert cluster.events == ["seized", "listed"]
    assert any("1 labels" in line and "left" in line for line in cluster.said)
    assert await cluster.run() == 0
    assert cluster.patched == ["a"]


async def test_a_label_that_an_administrator_applies_too_stays() -> None:
    both = node("a", "tidegate-operator")
    [ours] = both["metadata"]["managedFields"]
    both["metadata"]["managedFields"] = [{**ours, "manager": "argocd"}, ours]
    assert await Cluster([both]).run() == 0


async def test_a_label_that_somebody_changes_meanwhile_is_theirs() -> None:
    refusal = PatchTestError(422, "Invalid", "the server rejected our request")
    assert await Cluster([node("a", "tidegate-operator")], refusal=refusal).run() == 0


async def test_a_refusal_is_an_error_and_not_silence() -> None:
    refusal = ForbiddenError(403, "Forbidden", "not you")
    cluster = Cluster([node("a", "tidegate-operator")], refusal=refusal)
    with pytest.raises(ForbiddenError, match="not you"):
        await cluster.run()
    assert cluster.events == ["seized", "listed", "released"], "or nobody would lead for an hour"


async def test_it_takes_no_longer_than_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGET", 0.05)
    cluster = Cluster([])

    async def never(holder: str, duration: float) -> None:
        cluster.record = LeaseRecord(holder, "7", duration)
        await asyncio.Event().wait()

    cluster.seize = never  # type: ignore[method-assign]
    with pytest.raises(KubeError, match="run it again"):
        await cluster.run()
    assert cluster.events == ["released"]
