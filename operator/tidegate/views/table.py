"""Objects as kubectl's table of them: the columns of the definition, its spacing, and its empty cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tidegate.api.columns import COLUMNS, Column
from tidegate.domain.loose import Json, mapping, mappings, text
from tidegate.domain.timestamps import from_timestamp
from tidegate.views.ages import age

_GAP: Final = 3  # spaces between two columns
_NARROWEST: Final = 6  # a column, its gap included
_STEP: Final = re.compile(r'\.(\w+)(?:\[\?\(@\.(\w+)=="(\w+)"\)\])?')
_BREAK: Final = re.compile(r"[\f\n\r]")


class Table:
    """Lines of one listing; a later line is aligned with those before it, as far as it fits.

    ``wide``: with the columns of a lower priority. ``namespaces``: with a column for them.
    """

    def __init__(self, *, wide: bool = False, namespaces: bool = False) -> None:
        self._columns = [column for column in COLUMNS if wide or not column.priority]
        self._namespaces = namespaces
        self._widths: list[int] = []

    @property
    def head(self) -> list[str]:
        """The names of the columns."""
        before = ["NAMESPACE", "NAME"] if self._namespaces else ["NAME"]
        return [*before, *(column.name.upper() for column in self._columns)]

    def row(self, service: Json, now: float) -> list[str]:
        """The cells of one object at a Unix time."""
        metadata = mapping(service.get("metadata"))
        names = ["namespace", "name"] if self._namespaces else ["name"]
        return [
            *(text(metadata.get(name)) for name in names),
            *(_cell(service, column, now) for column in self._columns),
        ]

    def lines(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """Rows as text without a line's end; columns never get narrower."""
        before = self._widths or [_NARROWEST] * len(self.head)
        self._widths = [
            max(width, *(len(row[place]) + _GAP for row in rows)) if rows else width
            for place, width in enumerate(before)
        ]
        return [_line(row, self._widths) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *cells, last = row
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)) + last


def _cell(service: Json, column: Column, now: float) -> str:
    """What the object has at the column's path; empty where there is nothing."""
    value = field_at(service, column.path)
    if value is None:
        return ""
    if column.kind == "date":
        moment = from_timestamp(value)
        return "<unknown>" if moment is None else age(now - moment)
    first, *more = _BREAK.split(str(value), maxsplit=1)
    return f"{first}..." if more else first


def field_at(document: Json, path: str) -> object:
    """What stands at a path such as ``.status.conditions[?(@.type=="Ready")].reason``; None: nothing."""
    value: object = document
    for name, key, wanted in _STEP.findall(path):
        value = mapping(value).get(name)
        if key:
            value = next((each for each in mappings(value) if each.get(key) == wanted), None)
    return value
