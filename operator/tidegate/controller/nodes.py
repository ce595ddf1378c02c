"""Labels each node with the CPU manager policy that its kubelet runs with.

The kubelet's own answer wins. Where it cannot be asked, an existing label stands (the administrator's, or
the last answer), and a node without one is labelled ``unknown``. A node that says what it should is not
written to.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import kopf

from tidegate.controller.home import at_home
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import KubeError, NotFoundError
from tidegate.kube.kubelet import CpuManagerPolicy
from tidegate.resources.names import CPU_POLICY_LABEL, FIELD_MANAGER

_logger = logging.getLogger(__name__)

UNKNOWN = "unknown"


class AsksKubelets(Protocol):
    """Where the answer comes from; kube.kubelet.Kubelets is one."""

    async def cpu_manager_policy(self, node: Json) -> CpuManagerPolicy:
        """The policy of a node's kubelet; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Recheck:
    """All nodes are asked again ``every`` so many seconds, ``at_once`` at a time: a kubelet that was
    restarted with another configuration makes no event."""

    every: float = 300.0
    at_once: int = 16
    jitter: Callable[[float, float], float] = random.uniform


def wanted_label(existing: str | None, answer: CpuManagerPolicy) -> str:
    """The label's value after the kubelet's answer."""
    return answer.policy or existing or UNKNOWN


class NodeLabels:
    """Keeps the label of every node true."""

    def __init__(self, client: KubeClient, kubelets: AsksKubelets, recheck: Recheck | None = None) -> None:
        self._client = client
        self._kubelets = kubelets
        self._recheck = recheck or Recheck()
        self._asked: dict[str, tuple[object, ...]] = {}
        self._complaints: dict[str, str] = {}

    async def node_seen(self, node: Json) -> None:
        """Reconcile a node if its kubelet may answer differently since it was last asked.

        A node's status is written every few minutes; only a new node, a reboot, another address or
        version, a flip of Ready, or a foreign hand on the label are worth a question.
        """
        if self._asked.get(node["metadata"]["name"]) != _fingerprint(node):
            await self.reconcile_node(node)

    async def node_gone(self, name: str) -> None:
        """Forget a node."""
        self._asked.pop(name, None)
        self._complaints.pop(name, None)

    async def reconcile_node(self, node: Json) -> None:
        """Ask the node's kubelet and write the label where it differs. Failures are logged and tried again
        with the next re-check."""
        name = node["metadata"]["name"]
        answer = await self._kubelets.cpu_manager_policy(node)
        self._log(name, answer)
        existing = _label(node)
        wanted = wanted_label(existing, answer)
        if wanted == existing or await self._write(name, wanted):
            self._asked[name] = _fingerprint(node, wanted)

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


def _fingerprint(node: Json, label: str | None = None) -> tuple[object, ...]:
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    ready = [item["status"] for item in status.get("conditions") or [] if item["type"] == "Ready"]
    addresses = [item["address"] for item in status.get("addresses") or [] if item["type"] == "InternalIP"]
    return (
        node["metadata"].get("uid"),
        label or _label(node),
        info.get("bootID"),
        info.get("kubeletVersion"),
        *ready,
        *addresses,
    )
