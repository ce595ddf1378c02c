"""The provider context: the cluster that the user's kubeconfig points at. It is never created or deleted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.progress import Progress

LINES_OF_TWO_NODES = 4  # the context, the table's head, two nodes


@dataclass(frozen=True)
class Context:
    """Uses kubectl's current context."""

    runner: Runner
    progress: Progress
    name: str = "context"

    def up(self, mode: str) -> None:
        """Only looks whether the cluster answers, with two nodes if the mode needs them."""
        healthy, lines = self.status()
        if healthy and mode == "two-nodes" and len(lines) < LINES_OF_TWO_NODES:
            raise ClusterError("the cluster of the current context has one node, mode two-nodes needs two")
        if not healthy:
            raise ClusterError("\n  ".join(["the current kubeconfig context does not answer:", *lines]))
        for line in lines:
            self.progress.say(line)

    def down(self) -> None:
        """Leaves the cluster as it is."""
        self.progress.say("the cluster of the current context is not ours: nothing to remove")

    def status(self) -> tuple[bool, list[str]]:
        """See Provider."""
        context = self.runner.run(["kubectl", "config", "current-context"], check=False, timeout=60)
        if context.code != 0:
            return False, ["kubectl has no current context: set KUBECONFIG, or `kubectl config use-context`"]
        answer = self.runner.run(
            ["kubectl", "get", "nodes", "--request-timeout=10s"], check=False, timeout=60
        )
        lines = (answer.stdout if answer.code == 0 else answer.stderr).splitlines()
        return answer.code == 0, [f"context {context.stdout.strip()}", *lines]

    def load(self, names: Sequence[str]) -> None:
        """Nobody here knows how that cluster gets images."""
        raise ClusterError(
            f"images ({', '.join(names)}) cannot be brought into the cluster of the current context: "
            "push them to a registry that it can pull from, and name them in the chart's values"
        )

    def prepare(self, names: Sequence[str]) -> None:
        """Needs nothing."""

    def environment(self) -> Mapping[str, str]:
        """See Provider."""
        variables = ("KUBECONFIG", "PATH")
        return {name: os.environ[name] for name in variables if name in os.environ}
