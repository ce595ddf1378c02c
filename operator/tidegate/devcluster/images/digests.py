"""Digests and sizes of layers, remembered: to know them again, gigabytes would have to be read."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.images.archive import measure
from tidegate.devcluster.images.layers import Layer

KEPT = 200  # the oldest are forgotten


@dataclass(frozen=True)
class Digests:
    """Identity and stamp of a layer → its digest and size, in a file."""

    file: Path

    def of(self, layer: Layer) -> tuple[str, int]:
        """The layer's digest, and its size in bytes."""
        key = f"{layer.identity} {layer.stamp}"
        known = self._read()
        if key not in known:
            measured = measure(layer)
            known = {**self._read(), key: measured}
            self._write(known)
        digest, size = known[key]
        return digest, size

    def _read(self) -> dict[str, tuple[str, int]]:
        try:
            known: dict[str, tuple[str, int]] = json.loads(self.file.read_text())
        except (OSError, ValueError):  # nothing is remembered yet
            return {}
        return known

    def _write(self, known: dict[str, tuple[str, int]]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_name(f".{self.file.name}.{os.getpid()}.{threading.get_ident()}")
        fresh.write_text(json.dumps(dict(list(known.items())[-KEPT:])))
        fresh.rename(self.file)
