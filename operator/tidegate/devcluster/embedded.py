"""A real Kubernetes on this machine: nodes in namespaces of their own, no Docker and no registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx

from tidegate.devcluster.addons import addons
from tidegate.devcluster.apiclient import admin_client, apply, get, is_ready
from tidegate.devcluster.cgroups import Cgroups
from tidegate.devcluster.commands import Runner
from tidegate.devcluster.controlplane import ControlPlane
from tidegate.devcluster.cpus import all_cpus
from tidegate.devcluster.errors import ClusterError, LeftoverError
from tidegate.devcluster.facts import Facts, read_facts
from tidegate.devcluster.images.small import coredns_image, pause_image
from tidegate.devcluster.images.store import NodeStore
from tidegate.devcluster.kindconfig import ClusterConfig
from tidegate.devcluster.layout import Cache, State
from tidegate.devcluster.leftovers import Leftovers
from tidegate.devcluster.mountpoints import MountPoints
from tidegate.devcluster.namespaces import KINDS, Namespaces
from tidegate.devcluster.network import Network, NodeAddress
from tidegate.devcluster.node import Node
from tidegate.devcluster.policies import TWO_POLICIES, kubelets
from tidegate.devcluster.processes import ProcessTable
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.sysctls import Sysctls
from tidegate.devcluster.waiting import require_alive, wait_for

READY_BUDGET = 300.0  # seconds for each step; on two idle cores the slowest takes four
MODES = {"full": 1, "two-nodes": 2, TWO_POLICIES: 2}  # mode → number of nodes


@dataclass(frozen=True)
class Embedded:
    """Starts and stops the embedded cluster."""

    state: State
    cache: Cache
    config: ClusterConfig
    runner: Runner
    progress: Progress
    cgroups: Cgroups

    def up(self, mode: str, programs: dict[str, Path]) -> None:
        """Starts the cluster, after cleaning what an earlier run may have left. Returns when it is usable."""
        require_namespaces(self.runner)
        self._require_ours()
        self.down()
        try:
            nodes = self._prepare(mode)
            self._start(nodes, programs)
        except BaseException:
            self._leftovers.remove()
            raise
        Facts(mode, self.plane.url, [node.name for node in nodes], self._names()).write(self.state)

    def is_healthy(self) -> bool:
        """Whether all processes run, the API server is ready and every node is."""
        facts = read_facts(self.state)
        if facts is None or not all(self.table.alive(name) for name in facts.processes):
            return False
        with admin_client(self.state.pki, facts.url) as client:
            return is_ready(client) and all(_node_ready(client, name) for name in facts.nodes)

    def down(self) -> None:
        """Stops the cluster and removes its state. LeftoverError names what could not be removed."""
        left = self._leftovers.remove()
        if left:
            raise LeftoverError("still there: " + "; ".join(left))
        self.state.remove()

    def connect(self, node: Node, pid: int) -> None:
        """Connects a node that was started again, whose first process is `pid`."""
        facts = read_facts(self.state)
        self._network(facts.mode if facts else "full").connect(node.address, pid)

    def store(self, node: Node) -> NodeStore:
        """The images of a node."""
        return NodeStore(self.runner, self.namespaces, node)

    def nodes(self, mode: str) -> list[Node]:
        """The nodes of a mode, their kubelets as it wants them (policies)."""
        own = kubelets(mode, self.config.kubelet, all_cpus())
        addresses = [NodeAddress(index, self.config.pods_of(index)) for index in range(MODES[mode])]
        return [
            Node(
                name := f"node-{address.index + 1}",
                self.state,
                self.cache,
                address,
                own[address.index],
                self.cgroups.path(name),
            )
            for address in addresses
        ]

    @cached_property
    def table(self) -> ProcessTable:
        """The cluster's processes."""
        return ProcessTable(self.state)

    @cached_property
    def namespaces(self) -> Namespaces:
        """The nodes' namespaces."""
        return Namespaces(self.table)

    @cached_property
    def plane(self) -> ControlPlane:
        """The control plane, in the first node."""
        address = str(NodeAddress(0, self.config.pods_of(0)).address)
        return ControlPlane(self.state, address, self.config.service_range, self.config.pod_range)

    @property
    def _leftovers(self) -> Leftovers:
        return Leftovers(self.runner, self.state, self.cgroups)

    def _require_ours(self) -> None:
        owner = self._leftovers.other_owner()
        if owner is not None:
            raise ClusterError(
                f"another embedded cluster runs on this machine, in {owner}, and one is all that fits: "
                f"stop it with `python -m tidegate.devcluster down --state {owner}`"
            )

    def _network(self, mode: str) -> Network:
        addresses = [node.address for node in self.nodes(mode)]
        return Network(self.runner, self.config.service_range, addresses)

    def _names(self) -> list[str]:
        return [record.name for record in self.table.records()]

    def _prepare(self, mode: str) -> list[Node]:
        """Makes files, control groups, bridge and namespaces."""
        nodes = self.nodes(mode)
        self.state.make()
        Sysctls(self.state).remember()
        authority = self.plane.write_files()
        network = self._network(mode)
        network.require_free()
        network.make_bridge(str(self.state.root))
        for node in nodes:
            self.cgroups.make(node.name)
            node.write_files(self.config, authority, self.plane.url)
            MountPoints(self.state).make(node.folders())
            network.connect(node.address, self.namespaces.create(node))
        return nodes

    def _start(self, nodes: Sequence[Node], programs: dict[str, Path]) -> None:
        first = nodes[0]
        self.progress.say("starting etcd, API server and containerd")
        for node in nodes:
            self.namespaces.start(node, "containerd", ["containerd", *node.containerd()])
        self.namespaces.start(first, "etcd", [programs["etcd"], *self.plane.etcd()])
        arguments = [*self.plane.api_server(), *self.plane.aggregation(), *self.plane.kubelet_access()]
        self.namespaces.start(first, "kube-apiserver", [programs["kube-apiserver"], *arguments])
        self._import_basics(nodes, programs)
        with admin_client(self.state.pki, self.plane.url) as client:
            self._wait("the API server", lambda: is_ready(client))
            self._start_controllers(first, programs)
            for node in nodes:
                self._start_node(client, node, programs)
            for manifest in addons(self.config):
                apply(client, manifest)
            self._wait_usable(client, nodes)

    def _import_basics(self, nodes: Sequence[Node], programs: dict[str, Path]) -> None:
        images = [pause_image(self.runner, self.cache), coredns_image(programs["coredns"])]
        for node in nodes:
            store = self.store(node)
            self._wait("containerd", store.answers)
            for image in images:
                store.add(image)

    def _start_controllers(self, first: Node, programs: dict[str, Path]) -> None:
        for name, arguments in (
            ("kube-controller-manager", self.plane.controller_manager()),
            ("kube-scheduler", self.plane.scheduler()),
        ):
            self.namespaces.start(first, name, [programs[name], *arguments])

    def _start_node(self, client: httpx.Client, node: Node, programs: dict[str, Path]) -> None:
        """Starts a node's kubelet and proxy; returns when the node has its range of pod addresses."""
        self.progress.say(f"starting {node.name}")
        self.namespaces.start(node, "kubelet", [programs["kubelet"], *node.kubelet()])
        self.namespaces.start(node, "kube-proxy", [programs["kube-proxy"], *node.proxy()])
        self._wait(f"{node.name}'s range of addresses", lambda: _pod_range(client, node.name) is not None)
        if _pod_range(client, node.name) != str(node.address.pods):
            raise ClusterError(
                f"{node.name} was given {_pod_range(client, node.name)}, not {node.address.pods}"
            )

    def _wait_usable(self, client: httpx.Client, nodes: Sequence[Node]) -> None:
        for node in nodes:
            self._wait(f"{node.name} being Ready", partial(_node_ready, client, node.name))
            self.progress.say(f"{node.name} is Ready")
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait("the default service account", lambda: get(client, account) is not None)
        self._wait("the DNS service", lambda: _dns_ready(client))

    def _wait(self, what: str, holds: Callable[[], bool]) -> None:
        wait_for(what, holds, READY_BUDGET, lambda: require_alive(self.table, *self._names()))


def require_root() -> None:
    """ClusterError unless this runs as root."""
    if os.geteuid() != 0:
        raise ClusterError(
            "the embedded cluster needs root (it makes network links, mounts and containers): "
            "run this with sudo; without root there are --provider kind and --mode apiserver"
        )


def require_namespaces(runner: Runner) -> None:
    """ClusterError unless this machine lets root make namespaces and mounts."""
    tried = runner.run(["unshare", *KINDS, "--fork", "mount", "--make-rprivate", "/"], check=False)
    if tried.code != 0:
        raise ClusterError(
            f"this machine does not allow namespaces ({tried.stderr.strip()}): the embedded cluster needs "
            "a whole machine, or a privileged container; without there are --provider kind and "
            "--mode apiserver"
        )


def _node_ready(client: httpx.Client, name: str) -> bool:
    return _condition(get(client, f"/api/v1/nodes/{name}"), "Ready")


def _dns_ready(client: httpx.Client) -> bool:
    return _condition(get(client, "/apis/apps/v1/namespaces/kube-system/deployments/coredns"), "Available")


def _condition(found: dict[str, Any] | None, kind: str) -> bool:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _pod_range(client: httpx.Client, name: str) -> str | None:
    node = get(client, f"/api/v1/nodes/{name}") or {}
    found: str | None = node.get("spec", {}).get("podCIDR")
    return found
