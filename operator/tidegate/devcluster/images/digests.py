"""The digests of layers, remembered: to know one again, gigabytes would have to be read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.images.archive import digest_of
from tidegate.devcluster.images.layers import Layer

KEPT = 200  # the oldest are forgotten


@dataclass(frozen=True)
class Digests:
    """Identity and size of a layer → its digest, in a file."""

    file: Path

    def of(self, layer: Layer) -> str:
        """The layer's digest."""
        key = f"{layer.identity} {layer.size()}"
        known = self._read()
        if key not in known:
            known = {**known, key: digest_of(layer)}
            self._write(known)
        return known[key]

    def _read(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self.file.read_text())
        except (OSError, ValueError):  # nothing is remembered yet
            return {}
        return known

    def _write(self, known: dict[str, str]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(dict(list(known.items())[-KEPT:])))
        fresh.rename(self.file)
