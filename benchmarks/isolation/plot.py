"""The results as bars on a logarithmic scale: what is drawn where (pure), and the drawing, by Pillow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isolation.cases import STATIC_NODE
from isolation.figures import by_key, medians

Round = Mapping[str, Any]
WIDTH, LEFT, RIGHT = 1200, 420, 90  # pixels
ROW, HEAD, GAP = 24, 64, 30
SHARED, OWN, GRID, INK = "#d1495b", "#2e7d6b", "#d8d8d8", "#222222"
LEGEND = {"shares its cores": SHARED, "has cores of its own": OWN}
TITLES = {
    "unary": "Unary CPU model: seconds a request",
    "chat": "vLLM, streaming chat: p99 gap between tokens, ms",
    "embeddings": "vLLM, embeddings: seconds a request",
}


@dataclass(frozen=True)
class Bar:
    """One row: ``value`` in the panel's unit; ``own``: the worker has cores of its own."""

    label: str
    value: float
    own: bool


@dataclass(frozen=True)
class Panel:
    """One workload."""

    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """In pixels, title and scale included."""
        return HEAD + ROW * len(self.bars) + GAP

    @property
    def decades(self) -> tuple[int, int]:
        """The powers of ten below the smallest and above the largest value."""
        values = [bar.value for bar in self.bars]
        low = math.floor(math.log10(min(values)))
        return low, max(low + 1, math.ceil(math.log10(max(values))))


def panels(rounds: Sequence[Round]) -> list[Panel]:
    """A panel a workload, a bar a case, medians over the rounds."""
    found = []
    for workload, title in TITLES.items():
        bars = [
            _bar(key[1], key[2], key[3], own) for key, own in by_key(rounds).items() if key[0] == workload
        ]
        if bars:
            found.append(Panel(title, bars))
    return found


def _bar(case: int, placement: str, noise: str, rounds: Sequence[Round]) -> Bar:
    middle = medians(rounds)
    value = 1000 * middle["gap_p99"] if "gap_p99" in middle else middle["total"]
    beside = "" if noise == "none" else f" beside {noise}"
    own = rounds[0]["node"] == STATIC_NODE and not placement.startswith("burstable")
    return Bar(f"{case}  {placement}{beside}", value, own)


def length(value: float, decades: tuple[int, int]) -> float:
    """A value's place on the scale, in pixels from its left end."""
    low, high = decades
    return (WIDTH - LEFT - RIGHT) * (math.log10(value) - low) / (high - low)


def draw(rounds: Sequence[Round], path: Path) -> None:
    """Writes the PNG. ImportError without Pillow (requirements/plot.txt)."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - of this function alone

    found = panels(rounds)
    image = Image.new("RGB", (WIDTH, sum(panel.height for panel in found)), "white")
    pen, top = ImageDraw.Draw(image), 0
    text, title = ImageFont.load_default(14), ImageFont.load_default(18)
    for number, (meaning, colour) in enumerate(LEGEND.items()):
        pen.text((WIDTH - RIGHT, 14 + 20 * number), meaning, colour, font=text, anchor="rt")
    for panel in found:
        pen.text((20, top + 12), panel.title, INK, font=title)
        _scale(pen, panel, top, text)
        for number, bar in enumerate(panel.bars):
            y = top + HEAD + ROW * number
            end = LEFT + length(bar.value, panel.decades)
            pen.rectangle((LEFT, y + 4, end, y + ROW - 4), fill=OWN if bar.own else SHARED)
            pen.text((LEFT - 10, y + ROW / 2), bar.label, INK, font=text, anchor="rm")
            pen.text((end + 8, y + ROW / 2), f"{bar.value:.3g}", INK, font=text, anchor="lm")
        top += panel.height
    image.save(path, optimize=True)


def _scale(pen: Any, panel: Panel, top: int, font: Any) -> None:
    low, high = panel.decades
    for power in range(low, high + 1):
        x = LEFT + length(10.0**power, panel.decades)
        pen.line((x, top + HEAD - 6, x, top + HEAD + ROW * len(panel.bars)), GRID)
        pen.text((x, top + HEAD - 8), f"{10.0**power:g}", INK, font=font, anchor="ms")
