"""The objects of a real cluster in recorded/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

FOLDER = Path(__file__).parent / "recorded"


def recorded(name: str) -> Json:
    """One of them, by its file's name."""
    found: Json = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def recorded_names(kind: str) -> list[str]:
    """All of one kind: Pod or Deployment."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if recorded(path.stem)["kind"] == kind)
