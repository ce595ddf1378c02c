"""A node's container runtime as the store of images."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.commands import LAST_LINES, Runner
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.archive import Blob, Image, blobs_of, write_archive
from tidegate.devcluster.images.digests import Digests
from tidegate.devcluster.namespaces import Namespaces
from tidegate.devcluster.node import Node

CTR = ("ctr", "--namespace", "k8s.io")
IMPORT_BUDGET = 600.0  # seconds after the last byte; some 25 for vLLM's 2.5 GB
# containerd 1.6's collector may take a snapshot away, that an older image of the name had, between the look
# that finds it and its use as a parent ("parent snapshot ... does not exist"); the next try makes it anew.
IMPORT_TRIES = 3
COLLECTED = "does not exist: not found"


@dataclass(frozen=True)
class NodeStore:
    """Imports images into a node: an image only when it is new, and of that only the layers that are."""

    runner: Runner
    namespaces: Namespaces
    node: Node

    def add(self, image: Image) -> bool:
        """Whether the image had to be imported. A refusal is a ClusterError."""
        if self._imported().get(image.name) == image.identity and image.name in self.images():
            return False
        self._import(image.name, blobs_of(image, Digests(self.node.cache.digests).of))
        self._record.write_text(json.dumps({**self._imported(), image.name: image.identity}))
        self._forget_nameless()
        return True

    def answers(self) -> bool:
        """Whether the node's container runtime is up."""
        return self.runner.run(self._inside("version"), check=False).code == 0

    def images(self) -> dict[str, str]:
        """The names of all images that are there → the digest of each."""
        lines = self.runner.run(self._inside("images", "list")).stdout.splitlines()[1:]
        return {words[0]: words[2] for words in map(str.split, lines)}

    def _content(self) -> set[str]:
        return set(self.runner.run(self._inside("content", "list", "--quiet")).stdout.split())

    def _forget_nameless(self) -> None:
        """Frees the disk of images that lost their name to newer ones; the runtime keeps their digests."""
        stale = nameless(self.images())
        if stale:
            self.runner.run(self._inside("images", "remove", "--sync", *stale), check=False)

    def _import(self, name: str, blobs: Sequence[Blob]) -> None:
        for _ in range(IMPORT_TRIES):
            lines = self._refusal(name, blobs)
            if not lines or COLLECTED not in lines[-1]:
                break
        if lines:
            raise ClusterError("\n  ".join([f"{self.node.name} cannot import {name}:", *lines[-LAST_LINES:]]))

    def _refusal(self, name: str, blobs: Sequence[Blob]) -> list[str]:
        """What the runtime printed when it refused; nothing when it has the image."""
        known = self._content()
        with tempfile.TemporaryFile() as output:
            run = subprocess.Popen(
                self._inside("images", "import", "-"), stdin=subprocess.PIPE, stdout=output, stderr=output
            )
            try:
                _feed(run, name, blobs, known)
            finally:
                run.kill()
                run.wait()
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
        return (lines or [f"exit code {run.returncode}"]) if run.returncode else []

    def _inside(self, *words: str) -> list[str | Path]:
        return self.namespaces.inside(self.node, [*CTR, *words])

    @property
    def _record(self) -> Path:
        return self.node.images / "tidegate-images.json"

    def _imported(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._record.read_text())
        except (OSError, ValueError):  # nothing was imported yet
            return {}
        return known


def nameless(images: Mapping[str, str]) -> list[str]:
    """Of names and digests of images: the names that are mere digests, where no real name means the same."""
    named = {digest for name, digest in images.items() if not name.startswith("sha256:")}
    return [name for name, digest in images.items() if name.startswith("sha256:") and digest not in named]


def _feed(run: subprocess.Popen[bytes], name: str, blobs: Sequence[Blob], known: Collection[str]) -> None:
    if run.stdin is None:
        raise RuntimeError("started without a pipe")
    with suppress(BrokenPipeError), run.stdin:  # it may give up early; what it printed says why
        write_archive(name, blobs, known, run.stdin)
    run.wait(IMPORT_BUDGET)
