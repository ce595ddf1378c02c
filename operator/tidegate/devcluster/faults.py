"""Stopping and starting parts of a running embedded cluster, for tests of what happens then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.devcluster.embedded import Embedded
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.facts import read_facts
from tidegate.devcluster.node import Node
from tidegate.devcluster.processes import ProcessRecord
from tidegate.devcluster.waiting import PERIOD

INIT = "init"
CALM_SECONDS = 1.5  # without a program that ends; a kubelet without its containerd lasts 0.1
LONGEST_SECONDS = 20.0


@dataclass(frozen=True)
class Faults:
    """Processes by the names that `status` shows; a node by its own name."""

    cluster: Embedded

    def stop(self, name: str) -> None:
        """Kills a process, or a node with all that runs on it, as a power cut would."""
        for record in self._records(name):
            self.cluster.table.stop(record.name, budget=0)

    def start(self, name: str) -> None:
        """Starts again what was stopped, and returns when it has run for a moment. It is ready some seconds
        later."""
        records = self._records(name)
        node = self._node_of(records[0])
        if not self.cluster.table.alive(node.process(INIT)):
            self.cluster.connect(node, self.cluster.namespaces.create(node))
        begun = calm = time.monotonic()
        while time.monotonic() < min(calm + CALM_SECONDS, begun + LONGEST_SECONDS):
            if self._start_ended(node, records):
                calm = time.monotonic()
            time.sleep(PERIOD)

    def _start_ended(self, node: Node, records: Sequence[ProcessRecord]) -> bool:
        """Starts what does not run; True where that was anything. A kubelet ends where its containerd has not
        come far enough to answer, and wants to be started again, as systemd would."""
        ended = [
            record
            for record in records
            if record.name != node.process(INIT) and not self.cluster.table.alive(record.name)
        ]
        for record in ended:
            program = record.name.removeprefix(f"{node.name}.")
            self.cluster.namespaces.start(node, program, _program_words(record))
        return bool(ended)

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
