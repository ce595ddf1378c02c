"""The networks of the embedded cluster: a bridge on the machine, and for each node a network of its own.

A node is reached like another machine: its address and its pods through the bridge, all Services through the
first node, whose kube-proxy translates them. What a node has inside (routes, pods' links, kube-proxy's rules)
ends with the node. Nothing leaves the machine: nodes have no default route, and the machine forwards nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.errors import ClusterError

BRIDGE = "tidegate0"
MACHINE = IPv4Interface("10.95.0.254/24")  # this machine's address on the bridge
NODES = MACHINE.network
NODE_LINK = "tidegate-n"


@dataclass(frozen=True)
class NodeAddress:
    """The addresses of one node."""

    index: int
    pods: IPv4Network

    @property
    def address(self) -> IPv4Address:
        """The node's own address: 10.95.0.1 is the first node's."""
        return NODES[self.index + 1]

    @property
    def link(self) -> str:
        """The name of the link at the bridge; the other end is the node's eth0."""
        return f"{NODE_LINK}{self.index + 1}"


@dataclass(frozen=True)
class Network:
    """Makes and removes links and routes of this machine."""

    runner: Runner
    services: IPv4Network
    nodes: Sequence[NodeAddress]

    def make_bridge(self, owner: str) -> None:
        """Makes the bridge. Its alias says whose it is."""
        self._ip("link", "add", BRIDGE, "type", "bridge")
        self._ip("link", "set", BRIDGE, "alias", owner)
        self._ip("address", "add", str(MACHINE), "dev", BRIDGE)
        self._ip("link", "set", BRIDGE, "up")

    def connect(self, node: NodeAddress, pid: int) -> None:
        """Connects a node, whose network namespace is that of the process `pid`."""
        self._ip("link", "add", node.link, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        self._ip("link", "set", node.link, "master", BRIDGE, "up")
        inside = ["nsenter", "--target", str(pid), "--net", "--", "ip", "-batch", "-"]
        self.runner.run(inside, stdin="\n".join(self.inside(node)) + "\n")
        self._ip("route", "replace", str(node.pods), "via", str(node.address))
        if node.index == 0:
            self._ip("route", "replace", str(self.services), "via", str(node.address))

    def inside(self, node: NodeAddress) -> Iterator[str]:
        """The lines for `ip -batch` in the node's own network."""
        yield "link set lo up"
        yield f"address add {node.address}/{NODES.prefixlen} dev eth0"
        yield "link set eth0 up"
        # a local process that dials a Service needs a route before its packet meets kube-proxy's rules
        yield f"route add {self.services} dev eth0 src {node.address}"
        # an address that no pod has goes nowhere, as when a machine has died
        yield f"route add blackhole {node.pods}"
        for other in self.nodes:
            if other != node:
                yield f"route add {other.pods} via {other.address}"

    def require_free(self) -> None:
        """ClusterError if another network of this machine uses the same addresses."""
        wanted = [NODES, self.services, *(node.pods for node in self.nodes)]
        for route in _routes(self.runner):
            if route["dst"] == "default" or route.get("dev") == BRIDGE:
                continue
            taken = IPv4Network(route["dst"])
            if any(taken.overlaps(network) for network in wanted):
                device = route.get("dev", route.get("type", "a route"))
                raise ClusterError(
                    f"the network {taken} ({device}) overlaps with the cluster's: change podSubnet or "
                    "serviceSubnet in kind-config.yaml, or remove that route"
                )

    def _ip(self, *words: str) -> None:
        self.runner.run(["ip", *words])


@dataclass(frozen=True)
class Links:
    """The links of this machine, read without any program: `down` works where nothing was ever installed."""

    root: Path = Path("/sys/class/net")

    def ours(self) -> list[str]:
        """The names of all links that this tool made."""
        names = sorted(entry.name for entry in self.root.iterdir())
        return [name for name in names if name == BRIDGE or name.startswith(NODE_LINK)]

    def owner(self) -> str | None:
        """The state folder of the cluster whose bridge is there; None: there is none."""
        try:
            return (self.root / BRIDGE / "ifalias").read_text().strip()
        except OSError:
            return None


def routes_of_ours(runner: Runner) -> list[str]:
    """The destinations of all routes over our bridge."""
    return [route["dst"] for route in _routes(runner) if route.get("dev") == BRIDGE]


def _routes(runner: Runner) -> list[dict[str, str]]:
    printed = runner.run(["ip", "-4", "-j", "route", "show"]).stdout
    found: list[dict[str, str]] = json.loads(printed or "[]")
    return found
