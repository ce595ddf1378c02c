"""A cold start on this machine, part by part, as lines: what each part was spent on, and how much it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tidegate.domain.loose import Json, mapping, text

_EXPLAINED: Final = {
    "queue": "from the request until its worker has cores",
    "process": "the worker's process is made",
    "interpreter": "Python starts",
    "imports": "vLLM is imported",
    "config": "arguments and the model's configuration are read",
    "before load": "Python, vLLM's modules, the configuration",
    "engine": "the engine's processes, weights, warm-up",
    "serving": "the server starts and is found ready",
    "load": "weights, warm-up, the server's start",
    "engine and load": "all of the worker's own start",
    "first byte": "the engine's first answer",
}
_BAR: Final = 30  # columns of the whole


@dataclass(frozen=True, slots=True)
class StartPart:
    """``seconds`` of the whole."""

    name: str
    seconds: float


def start_parts(parts: Json, marks: Json) -> list[StartPart]:
    """In their order, from status.coldStarts.parts and what the worker's /start tells (empty: nothing).

    The worker's own marks divide two of the status's parts and never change their sum.
    """
    seconds = {name: _number(value) for name, value in parts.items()}
    told = {name: float(value) for name, value in mapping(marks.get("parts")).items() if _is_number(value)}
    found = [
        StartPart("queue", seconds.get("api", 0.0) + seconds.get("scheduling", 0.0)),
        StartPart(
            "process", sum(seconds.get(name, 0.0) for name in ("image", "container", "imageAndContainer"))
        ),
        *_engine(seconds, told),
        *([StartPart("first byte", seconds["firstByte"])] if "firstByte" in seconds else []),
    ]
    return [part for part in found if part.name in ("queue", "process", "first byte") or part.seconds > 0]


def _engine(seconds: dict[str, float], told: dict[str, float]) -> Iterator[StartPart]:
    if "engineAndLoad" in seconds:
        yield StartPart("engine and load", seconds["engineAndLoad"])
        return
    yield from _divided(seconds.get("engine", 0.0), told, ("interpreter", "imports", "config"), "before load")
    yield from _divided(seconds.get("load", 0.0), told, ("engine", "serving"), "load")


def _divided(
    whole: float, told: dict[str, float], names: tuple[str, ...], undivided: str
) -> Iterator[StartPart]:
    """The last one is the rest: the clocks of two processes differ a little."""
    *first, last = names
    if not all(name in told for name in first):
        yield StartPart(undivided, whole)
        return
    rest = whole
    for name in first:
        yield StartPart(name, min(told[name], rest))
        rest -= min(told[name], rest)
    yield StartPart(last, rest)


def start_table(parts: list[StartPart]) -> list[str]:
    """A line for each part, its bar as long as its share of the whole."""
    total = sum(part.seconds for part in parts)
    widest = max((len(part.name) for part in parts), default=0)
    return [
        f"{part.seconds:8.2f} s  {part.name:<{widest}}  {_bar(part.seconds, total)}  {_EXPLAINED[part.name]}"
        for part in parts
    ]


def _bar(seconds: float, total: float) -> str:
    share = seconds / total if total else 0.0
    drawn = "█" * round(share * _BAR) or ("▏" if seconds else "")
    return f"{drawn:<{_BAR}}"


def _number(value: object) -> float:
    try:
        return max(0.0, float(text(value)))
    except ValueError:
        return 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
