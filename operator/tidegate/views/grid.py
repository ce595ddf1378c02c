"""Cells as lines: a name and its value, rows of a small table, sentences within a width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

WIDTH: Final = 110  # columns
_GAP: Final = 2  # spaces


def pairs(values: Iterable[tuple[str, str]], indent: int = 0, width: int = 0) -> Iterator[str]:
    """``Name:   value`` with the values below each other; what has no value is left out. ``width``: of names;
    0: as wide as the widest."""
    told = [(f"{name}:", value) for name, value in values if value]
    widest = width or max((len(name) for name, _ in told), default=0) + _GAP
    for name, value in told:
        head = f"{' ' * indent}{name:<{widest}}"
        yield from _wrapped(value, head, " " * len(head))


def rows(head: Sequence[str], cells: Iterable[Sequence[str]], indent: int = 0) -> Iterator[str]:
    """A table whose last column is a text that may go on below itself."""
    told = [list(head), *(list(each) for each in cells)]
    widths = [max(len(each[place]) for each in told) + _GAP for place in range(len(head) - 1)]
    for *first, last in told:
        start = " " * indent + "".join(f"{cell:<{width}}" for cell, width in zip(first, widths, strict=True))
        yield from _wrapped(last, start, " " * len(start))


def _wrapped(text: str, head: str, rest: str) -> list[str]:
    lines = textwrap.wrap(
        " ".join(text.split()),
        max(WIDTH, len(rest) + 40),
        initial_indent=head,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.rstrip() for line in lines] or [head.rstrip()]
