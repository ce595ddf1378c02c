"""Reads JSON that others wrote, whatever is in it: what has another shape than expected counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def mapping(value: object) -> Json:
    """An object; empty where it is none."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Json]:
    """The objects of a list; empty where it is none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []


def text(value: object) -> str:
    """A string; empty where it is none."""
    return value if isinstance(value, str) else ""


def whole(value: object) -> int:
    """A whole number; 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def condition(status: Json, kind: str) -> Json:
    """The condition of that type among ``status.conditions``; empty where there is none."""
    return next((each for each in mappings(status.get("conditions")) if each.get("type") == kind), {})
