"""YAML read as a Kubernetes client reads it, and more strictly: nothing is lost silently."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml


def documents(text: str) -> list[Any]:
    """The documents of a text, None for each that is empty. ValueError says where it is not YAML."""
    try:
        return list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        said = " ".join(str(error).split()).replace('in "<unicode string>",', "at")
        raise ValueError(f"not YAML: {said}") from None


class _Loader(yaml.SafeLoader):
    """YAML's own rule, which PyYAML does not keep: no field stands twice, so no setting is lost silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)
