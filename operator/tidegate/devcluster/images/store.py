"""A node's container runtime as the store of images."""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.commands import LAST_LINES, Runner
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.archive import Image, write_archive
from tidegate.devcluster.namespaces import Namespaces
from tidegate.devcluster.node import Node

IMPORT_BUDGET = 600.0  # seconds after the last byte; some 50 for 5 GB
CTR = ("ctr", "--namespace", "k8s.io", "images")


@dataclass(frozen=True)
class NodeStore:
    """Imports images into a node, each only when its content is new."""

    runner: Runner
    namespaces: Namespaces
    node: Node

    def add(self, image: Image) -> bool:
        """Whether the image had to be imported. A refusal is a ClusterError."""
        known = self._known()
        if known.get(image.name) == image.identity and image.name in self.names():
            return False
        self._import(image)
        self._record.write_text(json.dumps({**self._known(), image.name: image.identity}))
        return True

    def answers(self) -> bool:
        """Whether the node's container runtime is up."""
        words = self.namespaces.inside(self.node, ["ctr", "version"])
        return self.runner.run(words, check=False).code == 0

    def names(self) -> set[str]:
        """The names of all images that are there."""
        words = self.namespaces.inside(self.node, [*CTR, "list", "--quiet"])
        listed = self.runner.run(words)
        return set(listed.stdout.split())

    def _import(self, image: Image) -> None:
        words = self.namespaces.inside(self.node, [*CTR, "import", "-"])
        with tempfile.TemporaryFile() as output:
            run = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output, stderr=output)
            try:
                _feed(image, run)
            finally:
                run.kill()
                run.wait()
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
        if run.returncode != 0:
            raise ClusterError(
                "\n  ".join([f"{self.node.name} cannot import {image.name}:", *lines[-LAST_LINES:]])
            )

    @property
    def _record(self) -> Path:
        return self.node.images / "tidegate-images.json"

    def _known(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return {}
        return known


def _feed(image: Image, run: subprocess.Popen[bytes]) -> None:
    if run.stdin is None:
        raise RuntimeError("started without a pipe")
    with suppress(BrokenPipeError), run.stdin:  # it may give up early; what it printed says why
        write_archive(image, run.stdin)
    run.wait(IMPORT_BUDGET)
