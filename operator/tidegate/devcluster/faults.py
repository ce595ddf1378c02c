"""Stopping and starting parts of a running embedded cluster, for tests of what happens then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.devcluster.embedded import Embedded
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.facts import read_facts
from tidegate.devcluster.node import Node
from tidegate.devcluster.processes import ProcessRecord

INIT = "init"


@dataclass(frozen=True)
class Faults:
    """Processes by the names that `status` shows; a node by its own name."""

    cluster: Embedded

    def stop(self, name: str) -> None:
        """Kills a process, or a node with all that runs on it, as a power cut would."""
        for record in self._records(name):
            self.cluster.table.stop(record.name, budget=0)

    def start(self, name: str) -> None:
        """Starts again what was stopped. It is ready some seconds later."""
        records = self._records(name)
        node = self._node_of(records[0])
        if not self.cluster.table.alive(node.process(INIT)):
            self.cluster.connect(node, self.cluster.namespaces.create(node))
        for record in records:
            program = record.name.removeprefix(f"{node.name}.")
            if program != INIT and not self.cluster.table.alive(record.name):
                self.cluster.namespaces.start(node, program, _program_words(record))

    def _records(self, name: str) -> list[ProcessRecord]:
        known = self.cluster.table.records()
        found = [record for record in known if record.name == name or record.name.startswith(f"{name}.")]
        if not found:
            names = ", ".join(record.name for record in known) or "none: nothing is up"
            raise ClusterError(f"there is no process or node {name!r}; there are {names}")
        return found

    def _node_of(self, record: ProcessRecord) -> Node:
        facts = read_facts(self.cluster.state)
        nodes = self.cluster.nodes(facts.mode) if facts else []
        for node in nodes:
            if record.name.startswith(f"{node.name}."):
                return node
        raise ClusterError(f"the embedded cluster is not up, so {record.name} cannot be started")


def _program_words(record: ProcessRecord) -> Sequence[str]:
    """What ran in the node, without the nsenter before it."""
    words = list(record.words)
    return words[words.index("--") + 1 :]
