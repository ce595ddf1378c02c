"""What is known of the nodes: CPU manager policy, labels and sizes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tidegate.controller.node_sizes import NodeSizes
from tidegate.domain.isolation import NodePolicy
from tidegate.domain.static_nodes import NodeFacts
from tidegate.kube.ownership import wrote_label
from tidegate.resources.names import CPU_POLICY_LABEL

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Node:
    facts: NodeFacts
    administrators: bool  # the label is


class NodePolicies:
    """The nodes, as they were last seen; a change is one of a CPU manager policy or of whose word it is.

    ``sizes``: what each has to give.
    """

    def __init__(self) -> None:
        self.sizes = NodeSizes()
        self._nodes: dict[str, _Node] = {}

    def put(self, node: Json) -> bool:
        """A node is new or has changed; whether its policy has."""
        self.sizes.put(node)
        read = _read(node)
        before = self._nodes.get(read.facts.name)
        self._nodes[read.facts.name] = read
        return _policy(before) != _policy(read)

    def remove(self, name: str) -> bool:
        """A node is gone; whether it had a policy."""
        self.sizes.remove(name)
        return _policy(self._nodes.pop(name, None)) != NodePolicy()

    def replace_all(self, nodes: Iterable[Json]) -> bool:
        """These are all the nodes; whether any policy is another."""
        before, listed = self._policies(), list(nodes)
        self.sizes.replace_all(listed)
        self._nodes = {read.facts.name: read for read in map(_read, listed)}
        return self._policies() != before

    def policy(self, node: str) -> str | None:
        """The label of a node; None where it has none."""
        return self.label(node).policy

    def label(self, node: str) -> NodePolicy:
        """The same, and whose word it is."""
        return _policy(self._nodes.get(node))

    def facts(self) -> list[NodeFacts]:
        """All nodes."""
        return [node.facts for node in self._nodes.values()]

    def _policies(self) -> dict[str, NodePolicy]:
        return {name: _policy(node) for name, node in self._nodes.items() if node.facts.policy}


def _policy(node: _Node | None) -> NodePolicy:
    return NodePolicy(node.facts.policy, node.administrators) if node else NodePolicy()


def _read(node: Json) -> _Node:
    metadata, labels = node["metadata"], node["metadata"].get("labels") or {}
    policy = labels.get(CPU_POLICY_LABEL) or None
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    facts = NodeFacts(metadata["name"], policy, labels, allocatable)
    return _Node(facts, policy is not None and not wrote_label(node, CPU_POLICY_LABEL))
