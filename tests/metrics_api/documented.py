"""The manifests that docs/autoscalers.md shows, as tests apply them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

_PAGE = Path(__file__).parents[2] / "docs" / "autoscalers.md"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documented(kind: str, namespace: str, name: str) -> Json:
    """The one manifest of a kind on the page, for another namespace and another service."""
    text = "---\n".join(_BLOCK.findall(_PAGE.read_text()))
    text = text.replace("team-a", namespace).replace("qwen", name)
    [found] = [each for each in yaml.safe_load_all(text) if each and each.get("kind") == kind]
    manifest: Json = found
    return manifest
