"""A node takes an image, also where its runtime clears away at that moment what the image builds on."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tidegate.devcluster.commands import SystemRunner
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.archive import Image, ImageConfig
from tidegate.devcluster.images.store import NodeStore
from tidegate.devcluster.namespaces import Namespaces
from tidegate.devcluster.node import Node

IMAGE = Image("tidegate.local/any:dev", (), ImageConfig(["/any"]))
COLLECTED = "ctr: failed to prepare extraction snapshot: parent snapshot sha256:1 does not exist: not found"


@dataclass
class Runtime:
    """Stands where a node's namespaces are entered: an import fails as often as is said."""

    folder: Path
    failures: int
    message: str

    def inside(self, _node: object, words: list[str]) -> list[str | Path]:
        script = "pass"
        if words[-2:] == ["import", "-"]:
            tried = self.folder / "tried"
            script = (
                f"import sys, pathlib; p = pathlib.Path({str(tried)!r}); sys.stdin.buffer.read()\n"
                f"n = len(p.read_text()) if p.exists() else 0; p.write_text('x' * (n + 1))\n"
                f"if n < {self.failures}: sys.exit({self.message!r})"
            )
        return [sys.executable, "-c", script]

    @property
    def tries(self) -> int:
        return len((self.folder / "tried").read_text())


@dataclass
class Place:
    """What the store asks of a node."""

    images: Path
    name: str = "node-1"

    @property
    def cache(self) -> Any:
        return self

    @property
    def digests(self) -> Path:
        return self.images / "digests"


def store(runtime: Runtime) -> NodeStore:
    return NodeStore(SystemRunner(), cast(Namespaces, runtime), cast(Node, Place(runtime.folder)))


def test_an_import_whose_parent_was_cleared_away_meanwhile_is_tried_again(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, failures=2, message=COLLECTED)
    assert store(runtime).add(IMAGE)
    assert runtime.tries == 3


def test_it_is_not_tried_for_ever(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, failures=9, message=COLLECTED)
    with pytest.raises(ClusterError, match="node-1 cannot import"):
        store(runtime).add(IMAGE)
    assert runtime.tries == 3


def test_another_refusal_is_told_at_once(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, failures=1, message="ctr: no space left on device")
    with pytest.raises(ClusterError, match="no space left"):
        store(runtime).add(IMAGE)
    assert runtime.tries == 1
