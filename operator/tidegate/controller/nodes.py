"""Labels each node with the CPU manager policy that its kubelet runs with.

The kubelet's own answer wins. Where it cannot be asked, an administrator's label stands, and one of ours
follows what workers on the node tell of their cores (domain/node_policy). A node that says what it should is
not written to.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import kopf

from tidegate.controller.home import at_home
from tidegate.domain.node_policy import Label, contradiction, wanted_label
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import KubeError, NotFoundError
from tidegate.kube.kubelet import CpuManagerPolicy
from tidegate.kube.ownership import wrote_label
from tidegate.resources.names import CPU_POLICY_LABEL, FIELD_MANAGER

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A node as it was when its kubelet was asked; ``at``: by the clock of Recheck."""

    fingerprint: tuple[object, ...]
    heartbeat: str
    at: float


@dataclass(frozen=True, slots=True)
class _Told:
    """What a worker told of its node, and when it became ready."""

    exclusive: bool
    since: float


class AsksKubelets(Protocol):
    """Where the answer comes from; kube.kubelet.Kubelets is one."""

    async def cpu_manager_policy(self, node: Json) -> CpuManagerPolicy:
        """The policy of a node's kubelet; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Recheck:
    """All nodes are asked again ``every`` so many seconds, ``at_once`` at a time.

    A kubelet that was restarted shows it by nothing but its heartbeat in the node's status, which otherwise
    comes every five minutes; the heartbeat alone asks again only ``pause`` seconds after the last question.
    """

    every: float = 900.0
    pause: float = 20.0
    at_once: int = 16
    jitter: Callable[[float, float], float] = random.uniform
    now: Callable[[], float] = time.monotonic


class NodeLabels:
    """Keeps the label of every node true."""

    def __init__(self, client: KubeClient, kubelets: AsksKubelets, recheck: Recheck | None = None) -> None:
        self._client = client
        self._kubelets = kubelets
        self._recheck = recheck or Recheck()
        self._asked: dict[str, _Asked] = {}
        self._complaints: dict[str, str] = {}
        self._contradictions: dict[str, str] = {}
        self._told: dict[str, _Told] = {}  # what the newest worker told that had an answer

    async def node_seen(self, node: Json) -> None:
        """Reconcile a node if its kubelet may answer differently since it was last asked.

        Worth a question are a new node, a reboot, another address, version or size, a flip of Ready, a
        foreign hand on the label, and a heartbeat some time after the last question.
        """
        asked = self._asked.get(node["metadata"]["name"])
        if (
            asked is None
            or asked.fingerprint != _fingerprint(node)
            or (asked.heartbeat != _heartbeat(node) and self._recheck.now() - asked.at >= self._recheck.pause)
        ):
            await self.reconcile_node(node)

    async def worker_told(self, name: str, exclusive: bool, since: float) -> None:
        """A Guaranteed worker on a node has cores of its own, or has not; the label follows where it may.

        ``since``: Unix time at which it became ready. One that began under an earlier configuration of the
        kubelet keeps the cores that it had, so the newest worker's word holds, and two do not take turns.
        """
        before = self._told.get(name)
        if before is not None and (before.since > since or before.exclusive == exclusive):
            return
        try:
            nodes, _ = await self._client.list_all(paths.NODES, field_selector=f"metadata.name={name}")
        except KubeError as error:
            _logger.warning("node %s cannot be read: %s", name, error)  # the worker's next look tries again
            return
        self._told[name] = _Told(exclusive, since)
        for node in nodes:
            await self.reconcile_node(node)

    async def node_gone(self, name: str) -> None:
        """Forget a node."""
        for memory in (self._asked, self._complaints, self._contradictions, self._told):
            memory.pop(name, None)

    async def reconcile_node(self, node: Json) -> None:
        """Ask the node's kubelet and write the label where it differs. Failures are logged and tried again
        with the next re-check."""
        name = node["metadata"]["name"]
        answer = await self._kubelets.cpu_manager_policy(node)
        self._log(name, answer)
        label = Label(_label(node), wrote_label(node, CPU_POLICY_LABEL))
        told = self._told.get(name)
        exclusive = told.exclusive if told else None
        self._warn(name, contradiction(label, answer.policy, exclusive))
        wanted = wanted_label(label, answer.policy, exclusive)
        if wanted == label.value or await self._write(name, wanted):
            self._asked[name] = _Asked(_fingerprint(node, wanted), _heartbeat(node), self._recheck.now())

    async def run(self) -> None:
        """Ask every node, now and again, for ever."""
        while True:
            await self.recheck_all()
            await asyncio.sleep(self._recheck.every * self._recheck.jitter(0.8, 1.2))

    async def recheck_all(self) -> None:
        """Ask every node once."""
        try:
            nodes, _ = await self._client.list_all(paths.NODES)
        except KubeError as error:
            _logger.warning("nodes cannot be listed: %s", error)
            return
        names = {node["metadata"]["name"] for node in nodes}
        for name in self._asked.keys() - names:
            await self.node_gone(name)
        gate = asyncio.Semaphore(self._recheck.at_once)
        await asyncio.gather(*(self._reconcile_within(gate, node) for node in nodes))

    async def _reconcile_within(self, gate: asyncio.Semaphore, node: Json) -> None:
        """One node of many: whatever is odd about it, the others are asked, and the operator goes on."""
        name = node["metadata"]["name"]
        async with gate:
            try:
                await self.reconcile_node(node)
            except Exception:
                _logger.exception("node %s: labelling failed for a reason that is not foreseen", name)

    async def _write(self, name: str, value: str) -> bool:
        body = {"metadata": {"labels": {CPU_POLICY_LABEL: value}}}
        try:
            await self._client.merge_patch(paths.node(name), body, field_manager=FIELD_MANAGER)
        except NotFoundError:
            await self.node_gone(name)
            return False
        except KubeError as error:
            _logger.warning("node %s cannot be labelled %s=%s: %s", name, CPU_POLICY_LABEL, value, error)
            return False
        _logger.info("node %s: %s=%s", name, CPU_POLICY_LABEL, value)
        return True

    def _warn(self, name: str, contradicted: str | None) -> None:
        if contradicted is None:
            self._contradictions.pop(name, None)
        elif self._contradictions.get(name) != contradicted:
            self._contradictions[name] = contradicted
            _logger.warning("node %s: %s", name, contradicted)

    def _log(self, name: str, answer: CpuManagerPolicy) -> None:
        if answer.policy:
            self._complaints.pop(name, None)
        elif self._complaints.get(name) != answer.why:
            self._complaints[name] = answer.why
            _logger.warning(
                "node %s: its kubelet cannot be asked for its CPU manager policy: %s", name, answer.why
            )


def register(registry: kopf.OperatorRegistry, labels: NodeLabels, acts: Callable[[], bool]) -> None:
    """Feed the node events that kopf sees to ``labels``, while this replica acts."""

    @kopf.on.event("", "v1", "nodes", registry=registry)
    @at_home
    async def node_event(body: kopf.Body, name: str, type: str | None, **_: object) -> None:  # noqa: A002
        if type == "DELETED":
            await labels.node_gone(name)
        elif acts():
            await labels.node_seen(dict(body))


def _label(node: Json) -> str | None:
    value = (node["metadata"].get("labels") or {}).get(CPU_POLICY_LABEL)
    return str(value) if value else None


def _ready(node: Json) -> list[Json]:
    conditions = (node.get("status") or {}).get("conditions") or []
    return [item for item in conditions if item["type"] == "Ready"]


def _heartbeat(node: Json) -> str:
    """When the kubelet last wrote the node's status."""
    return "".join(str(item.get("lastHeartbeatTime") or "") for item in _ready(node))


def _fingerprint(node: Json, label: str | None = None) -> tuple[object, ...]:
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    ready = [item["status"] for item in _ready(node)]
    addresses = [item["address"] for item in status.get("addresses") or [] if item["type"] == "InternalIP"]
    return (
        node["metadata"].get("uid"),
        label or _label(node),
        info.get("bootID"),
        info.get("kubeletVersion"),
        (status.get("allocatable") or {}).get("cpu"),
        *ready,
        *addresses,
    )
