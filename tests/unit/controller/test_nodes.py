"""Labelling nodes: what is written, and above all when nothing is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tidegate.controller.nodes import NodeLabels, Recheck
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import ForbiddenError, KubeError, NotFoundError
from tidegate.kube.kubelet import CpuManagerPolicy

LABEL = "tidegate.io/cpu-manager-policy"
UNREACHABLE = CpuManagerPolicy(None, "no connection")


@dataclass
class World:
    """An API server with nodes, and their kubelets."""

    answers: dict[str, CpuManagerPolicy]
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusal: KubeError | None = None
    writes: list[tuple[str, object]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def cpu_manager_policy(self, node: dict[str, Any]) -> CpuManagerPolicy:
        name = node["metadata"]["name"]
        self.asked.append(name)
        return self.answers[name]

    async def list_all(self, _path: str, field_selector: str = "") -> tuple[list[dict[str, Any]], str]:
        name = field_selector.removeprefix("metadata.name=")
        return [node for node in self.nodes.values() if node["metadata"]["name"].startswith(name)], "1"

    async def merge_patch(self, path: str, body: dict[str, Any], **_: object) -> None:
        if self.refusal:
            raise self.refusal
        name = path.rpartition("/")[2]
        self.writes.append((name, body))
        metadata = self.nodes[name]["metadata"]
        metadata["labels"] |= body["metadata"]["labels"]
        fields: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}
        metadata["managedFields"] = [{"manager": "tidegate-operator", "fieldsV1": fields}]

    def add(
        self, name: str, label: str | None = None, boot: str = "b1", heartbeat: str = "t1"
    ) -> dict[str, Any]:
        labels = {LABEL: label} if label else {}
        self.nodes[name] = {
            "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels},
            "status": {
                "nodeInfo": {"bootID": boot},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": heartbeat}],
            },
        }
        return self.nodes[name]

    def label(self, name: str) -> str | None:
        value: str | None = self.nodes[name]["metadata"]["labels"].get(LABEL)
        return value


def labels_of(world: World, now: Callable[[], float] = lambda: 0.0) -> NodeLabels:
    return NodeLabels(cast(KubeClient, world), world, Recheck(every=1, now=now))


async def test_a_node_is_labelled_once_and_its_heartbeats_ask_nobody() -> None:
    world = World({"n": CpuManagerPolicy("static")})
    labels = labels_of(world)
    node = world.add("n")
    for _ in range(5):
        await labels.node_seen(node)
    assert world.writes == [("n", {"metadata": {"labels": {LABEL: "static"}}})]
    assert world.asked == ["n"]


async def test_a_heartbeat_long_after_the_last_question_asks_whether_the_kubelet_is_another_one() -> None:
    now = 0.0
    world = World({"n": CpuManagerPolicy("none")})
    labels = labels_of(world, lambda: now)
    await labels.node_seen(world.add("n"))
    world.answers["n"] = CpuManagerPolicy("static")  # restarted, which shows in nothing but the heartbeat
    now = 19.0
    await labels.node_seen(world.add("n", "none", heartbeat="t2"))
    assert world.label("n") == "none"
    now = 21.0
    await labels.node_seen(world.add("n", "none", heartbeat="t2"))
    assert world.label("n") == "static"
    assert len(world.asked) == 2


async def test_a_workers_evidence_labels_a_node_whose_kubelet_cannot_be_asked() -> None:
    world = World({"n": UNREACHABLE, "other": UNREACHABLE})
    labels = labels_of(world)
    await labels.node_seen(world.add("n"))
    assert world.label("n") == "unknown"
    for exclusive, label in ((True, "static"), (False, "none"), (True, "static")):
        await labels.worker_told("n", exclusive=exclusive, since=1.0)
        assert world.label("n") == label
    writes = len(world.writes)
    await labels.worker_told("n", exclusive=True, since=1.0)
    await labels.recheck_all()
    assert [name for name, _ in world.writes[writes:]] == []


async def test_an_administrators_label_stands_and_its_contradiction_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World({"n": UNREACHABLE})
    labels = labels_of(world)
    world.add("n", "static")
    with caplog.at_level(logging.WARNING):
        await labels.worker_told("n", exclusive=False, since=1.0)
        await labels.recheck_all()
    assert world.writes == []
    said = [record.getMessage() for record in caplog.records if "administrator" in record.getMessage()]
    assert said == ["node n: an administrator labelled it static, but a worker on it has no cores of its own"]


async def test_workers_of_before_and_after_a_change_of_the_kubelet_do_not_take_turns_with_the_label() -> None:
    world = World({"n": UNREACHABLE})
    labels = labels_of(world)
    world.add("n")
    for _ in range(3):
        await labels.worker_told("n", exclusive=False, since=100.0)
        await labels.worker_told("n", exclusive=True, since=200.0)
    assert world.label("n") == "static"
    assert len(world.writes) == 2


async def test_a_kubelet_that_answers_is_believed_before_any_worker() -> None:
    world = World({"n": CpuManagerPolicy("none")})
    labels = labels_of(world)
    await labels.node_seen(world.add("n"))
    await labels.worker_told("n", exclusive=True, since=1.0)
    assert world.label("n") == "none"


async def test_evidence_that_could_not_be_used_is_used_with_the_next_look() -> None:
    world = World({"n": UNREACHABLE})
    labels = labels_of(world)
    world.add("n")

    async def away(*_: object, **__: object) -> None:
        raise KubeError(0, "Unreachable", "away")

    listing, world.list_all = world.list_all, away  # type: ignore[method-assign, assignment]
    await labels.worker_told("n", exclusive=True, since=1.0)
    world.list_all = listing  # type: ignore[method-assign]
    await labels.worker_told("n", exclusive=True, since=1.0)
    assert world.label("n") == "static"


async def test_a_reboot_and_a_foreign_hand_are_worth_a_question() -> None:
    world = World({"n": CpuManagerPolicy("static")})
    labels = labels_of(world)
    await labels.node_seen(world.add("n", "static"))
    await labels.node_seen(world.add("n", "static", boot="b2"))
    assert world.writes == []
    await labels.node_seen(world.add("n", "none", boot="b2"))
    assert world.label("n") == "static"
    assert len(world.asked) == 3


async def test_a_recheck_follows_a_reconfigured_kubelet_and_writes_nothing_else() -> None:
    world = World({"n": CpuManagerPolicy("none"), "m": CpuManagerPolicy("none")})
    labels = labels_of(world)
    for name in ("n", "m"):
        await labels.node_seen(world.add(name))
    world.writes.clear()
    await labels.recheck_all()
    assert world.writes == []
    world.answers["m"] = CpuManagerPolicy("static")
    await labels.recheck_all()
    assert [name for name, _ in world.writes] == ["m"]


async def test_a_node_that_is_gone_when_it_is_written_is_forgotten() -> None:
    world = World({"n": CpuManagerPolicy("none")}, refusal=NotFoundError(404, "NotFound", "no node"))
    labels = labels_of(world)
    node = world.add("n")
    await labels.node_seen(node)
    world.refusal = None
    await labels.node_seen(node)
    assert world.label("n") == "none"


async def test_a_refused_write_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    world = World({"n": CpuManagerPolicy("none")}, refusal=ForbiddenError(403, "Forbidden", "not you"))
    labels = labels_of(world)
    await labels.node_seen(world.add("n"))
    assert "not you" in caplog.text
    world.refusal = None
    await labels.recheck_all()
    assert world.label("n") == "none"


async def test_why_a_kubelet_cannot_be_asked_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World({"n": UNREACHABLE})
    labels = labels_of(world)
    with caplog.at_level(logging.WARNING):
        await labels.node_seen(world.add("n"))
        await labels.recheck_all()
        await labels.recheck_all()
    assert [record.getMessage() for record in caplog.records] == [
        "node n: its kubelet cannot be asked for its CPU manager policy: no connection"
    ]


async def test_an_odd_node_does_not_keep_the_others_from_their_labels(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World({"n": CpuManagerPolicy("static")})  # the other one's kubelet is not even known
    labels = labels_of(world)
    world.add("odd")
    world.add("n")
    await labels.recheck_all()
    assert world.label("n") == "static"
    assert "node odd" in caplog.text
