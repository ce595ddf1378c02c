"""The sizes of the cluster's nodes: what a written object is compared with, without asking anybody."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from tidegate.domain.fitting import NodeSize
from tidegate.domain.quantity import parse_quantity
from tidegate.resources.placement import PRODUCT_LABELS

Json = dict[str, Any]


class NodeSizes:
    """One record for each size; nodes of one size share it, so that thousands cost little memory."""

    def __init__(self) -> None:
        self._by_node: dict[str, NodeSize] = {}
        self._counts: dict[NodeSize, int] = {}

    def put(self, node: Json) -> None:
        """A node is new or has changed."""
        name, size = node["metadata"]["name"], _size(node)
        if self._by_node.get(name) != size:
            self.remove(name)
            self._by_node[name] = size
            self._counts[size] = self._counts.get(size, 0) + 1

    def remove(self, name: str) -> None:
        """A node is gone."""
        size = self._by_node.pop(name, None)
        if size is None:
            return
        self._counts[size] -= 1
        if not self._counts[size]:
            del self._counts[size]

    def replace_all(self, nodes: Iterable[Json]) -> None:
        """These are all the nodes."""
        listed = list(nodes)
        for name in self._by_node.keys() - {node["metadata"]["name"] for node in listed}:
            self.remove(name)
        for node in listed:
            self.put(node)

    def sizes(self) -> Collection[NodeSize]:
        """Each size that some node has, once."""
        return self._counts.keys()


def _size(node: Json) -> NodeSize:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    labels = node["metadata"].get("labels") or {}
    devices = ((name, _whole(amount)) for name, amount in allocatable.items() if "/" in name)
    return NodeSize(
        millicores=_whole(allocatable.get("cpu", 0), 1000),
        memory=_whole(allocatable.get("memory", 0)),
        devices=tuple(sorted(devices)),
        products=tuple((name, labels[name]) for name in PRODUCT_LABELS.values() if name in labels),
    )


def _whole(amount: int | str, times: int = 1) -> int:
    """A quantity rounded down; zero for what is none, since a kubelet may write anything."""
    try:
        return int(parse_quantity(amount) * times)
    except ValueError:
        return 0
