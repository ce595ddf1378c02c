"""What a cold start's time was spent on: durations that are never negative and add up to the whole."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum

from tidegate.domain.coldstart import POINTS


class Part(Enum):
    """In the order of a start; the value is the metrics' label.

    Where nobody tells where one part ends and the next begins, both are one, and its name says so.
    """

    API = "api"  # the wake is asked for ▶ the pod exists
    SCHEDULING = "scheduling"  # ▶ it has a node
    IMAGE = "image"  # the node pulls images
    CONTAINER = "container"  # volumes, network, sandbox ▶ the engine's container runs
    IMAGE_AND_CONTAINER = "image_and_container"
    ENGINE = "engine"  # the engine's process starts ▶ it begins to load the model
    LOAD = "load"  # ▶ a worker answers the gateway's probe
    ENGINE_AND_LOAD = "engine_and_load"
    FIRST_BYTE = "first_byte"  # ▶ the first byte of an answer is passed to a client

    @property
    def key(self) -> str:
        """Its name in the status: firstByte."""
        first, *rest = self.value.split("_")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return "API" if self is Part.API else self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """What a worker tells of its own start: seconds from its process's start until it began to load, and
    until it served."""

    loads_after: float
    serves_after: float


@dataclass(frozen=True, slots=True)
class Details:
    """What others than the gateway know of a start; None: nobody tells. ``pulled``: seconds that the node
    pulled images, 0 where all were there."""

    pulled: float | None = None
    engine: EngineTimes | None = None


def parts_of(points: Mapping[str, float], details: Details = Details()) -> dict[Part, float]:
    """Seconds of each part, up to the last point that was reached.

    A point that is missing was reached no later than the next one. A worker that has run for longer than the
    gateway has known of it began earlier: kubelets tell up to a second late that a container runs.
    """
    at = _in_order(points)
    if details.engine and "loaded" in at:
        earliest = at["scheduled"] + max(0.0, details.pulled or 0.0)
        began = max(earliest, at["loaded"] - details.engine.serves_after)
        at["started"] = min(at["started"], began)
    before, parts = 0.0, dict[Part, float]()
    for point, moment in at.items():
        parts |= _part(point, moment - before, details)
        before = moment
    return parts


def _in_order(points: Mapping[str, float]) -> dict[str, float]:
    """Every point up to the last, none before the one that precedes it."""
    found: dict[str, float] = {}
    known: float | None = None
    for point in reversed(POINTS):
        known = points.get(point, known)
        if known is not None:
            found[point] = known
    latest, at = 0.0, dict[str, float]()
    for point in reversed(found):
        latest = at[point] = max(latest, found[point])
    return at


def _part(point: str, seconds: float, details: Details) -> dict[Part, float]:
    """What ends with ``point``."""
    if point == "started":
        return _split(seconds, details.pulled, (Part.IMAGE, Part.CONTAINER), Part.IMAGE_AND_CONTAINER)
    if point == "loaded":
        began = details.engine.loads_after if details.engine else None
        return _split(seconds, began, (Part.ENGINE, Part.LOAD), Part.ENGINE_AND_LOAD)
    return {{"created": Part.API, "scheduled": Part.SCHEDULING}.get(point, Part.FIRST_BYTE): seconds}


def _split(seconds: float, first: float | None, two: tuple[Part, Part], both: Part) -> dict[Part, float]:
    if first is None:
        return {both: seconds}
    first = min(max(0.0, first), seconds)
    return {two[0]: first, two[1]: seconds - first}


def written(parts: Mapping[Part, float]) -> dict[str, str]:
    """As the status has them: two decimals, rounded so that they add up to the rounded whole."""
    texts, exact, told = {}, 0.0, 0
    for part in Part:
        if part in parts:
            exact += parts[part]
            hundredths = round(exact * 100)
            texts[part.key] = f"{(hundredths - told) / 100:.2f}"
            told = hundredths
    return texts


def whole_of(parts: Mapping[str, object]) -> Decimal:
    """Seconds of all of the status's parts."""
    return sum((seconds for _, seconds in _read(parts)), Decimal())


def until_ready(parts: Mapping[str, object]) -> Decimal:
    """Seconds from the wake until a worker was ready: all of the status's parts but the first byte."""
    return sum((seconds for part, seconds in _read(parts) if part is not Part.FIRST_BYTE), Decimal())


def sentence(parts: Mapping[str, object]) -> str:
    """``12.3 s: API 0.05, scheduling 0.01, …`` from the status's parts."""
    told = ", ".join(f"{part.words} {_plain(seconds)}" for part, seconds in _read(parts))
    return f"{_plain(whole_of(parts))} s: {told}"


def _read(parts: Mapping[str, object]) -> Iterator[tuple[Part, Decimal]]:
    for part in Part:
        try:
            seconds = Decimal(str(parts.get(part.key)))
        except InvalidOperation:
            continue  # it is not there, or somebody else wrote it
        if seconds.is_finite():
            yield part, seconds


def _plain(seconds: Decimal) -> str:
    text = f"{seconds:.2f}"
    return text.rstrip("0").rstrip(".")


# -- what the kubelet tells of its pulls

_IN = re.compile(r" in ((?:[0-9.]+(?:ns|us|µs|ms|h|m|s))+)(?: \(((?:[0-9.]+(?:ns|us|µs|ms|h|m|s))+) incl)?")
_AMOUNT = re.compile(r"([0-9.]+)(ns|us|µs|ms|h|m|s)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def pulled_seconds(notes: Iterable[str]) -> float | None:
    """Seconds that a pod's images were pulled, by the notes of its events Pulled; None where there is none.

    ``Successfully pulled image "x" in 5.1s (7.2s including waiting)…`` counts 7.2: pulls wait for each other.
    ``Container image "x" already present on machine`` counts 0.
    """
    found = [_pull(note) for note in notes]
    return sum(found) if found else None


def _pull(note: str) -> float:
    told = _IN.search(note)
    if told is None:
        return 0.0
    try:
        return math.fsum(float(n) * _UNITS[unit] for n, unit in _AMOUNT.findall(told[2] or told[1]))
    except ValueError:
        return 0.0
