"""Starting a node's first process in namespaces of its own, and other processes beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.node import Node
from tidegate.devcluster.processes import ProcessTable, program_of
from tidegate.devcluster.waiting import require_alive, wait_for

KINDS = ("--mount", "--net", "--pid", "--uts", "--ipc")
NODEINIT = Path(__file__).parent / "nodeinit.py"
INIT_BUDGET = 60.0  # seconds; 0.1 on an idle machine


@dataclass(frozen=True)
class Namespaces:
    """The namespaces of the nodes of one cluster."""

    table: ProcessTable

    def create(self, node: Node) -> int:
        """Starts the node's first process; its pid, once it has made the node's file tree."""
        name = node.process("init")
        node.ready_file.unlink(missing_ok=True)
        program = [sys.executable, "-I", "-S", str(NODEINIT), str(node.spec_file), node.name]
        unshare = ["unshare", *KINDS, "--fork", "--kill-child=KILL", "--", *program]
        record = self.table.start(name, unshare)
        wait_for(
            f"the node {node.name}",
            node.ready_file.exists,
            INIT_BUDGET,
            lambda: require_alive(self.table, name),
        )
        return program_of(record)

    def pid(self, node: Node) -> int:
        """The pid of a node's first process. ClusterError if the node is gone."""
        for record in self.table.records():
            if record.name == node.process("init") and self.table.alive(record.name):
                return program_of(record)
        raise ClusterError(f"the node {node.name} does not run: `up` starts it")

    def start(self, node: Node, program: str, words: Sequence[str | Path]) -> str:
        """Starts a long-lived process in a node; the name of its record."""
        name = node.process(program)
        self.table.start(name, self.inside(node, words))
        return name

    def inside(self, node: Node, words: Sequence[str | Path]) -> list[str | Path]:
        """The command line that runs `words` in a node."""
        return ["nsenter", "--target", str(self.pid(node)), *KINDS, "--", *words]
