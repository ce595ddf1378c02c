"""YAML read as a Kubernetes client reads it, and more strictly: nothing is lost silently."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import yaml

MAX_VALUES: Final = 500_000  # of a text with its aliases written out; 4 MB of manifests have 200 000


def documents(text: str) -> list[Any]:
    """The documents of a text, None for each that is empty. ValueError says where it is not YAML, or that its
    aliases make too much of it."""
    try:
        found = list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        said = " ".join(str(error).split()).replace('in "<unicode string>",', "at")
        raise ValueError(f"not YAML: {said}") from None
    except MemoryError:
        raise
    except RecursionError as error:
        raise ValueError("not YAML that can be read: it is nested too deeply") from error
    except Exception as error:  # PyYAML's constructors fail with whatever their arguments make them fail with
        raise ValueError(f"not YAML that can be read: {error}") from error
    _require_finite(found)
    return found


def _require_finite(found: list[Any]) -> None:
    """A few lines of aliases may stand for more values than a machine can hold, or for endlessly many."""
    left, count = list(found), 0
    while left:
        value = left.pop()
        count += 1
        if count + len(left) > MAX_VALUES:
            raise ValueError(f"it stands for more than {MAX_VALUES} values: write fewer, or no aliases")
        if isinstance(value, Mapping):
            left.extend(value.values())
        elif isinstance(value, list | tuple | set):
            left.extend(value)


class _Loader(yaml.SafeLoader):
    """YAML's own rule, which PyYAML does not keep: no field stands twice, so no setting is lost silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)
