"""The parts of an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Topic:
    """One subject and what there is to say about it, whole sentences each."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What will happen: ``what`` in one word, ``workers`` after it (None: it does not say), and when, as Unix
    times: not before, and at the latest; None: unbounded on that side."""

    what: str
    workers: int | None
    not_before: float | None
    at_latest: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it. ``status`` is the service's own, for whoever reads JSON."""

    name: str
    namespace: str
    headline: str
    topics: tuple[Topic, ...]
    expected: tuple[Expected, ...]
    status: dict[str, Any]
