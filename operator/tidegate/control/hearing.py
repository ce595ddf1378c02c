"""Takes the lines of gateways, and tells whose numbers they changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.control.demand import DemandBoard
from tidegate.domain.service import ServiceKey


@dataclass(frozen=True)
class Hearing:
    """``changed`` is told which service has new numbers, None: possibly all. ``now`` returns Unix time."""

    board: DemandBoard
    changed: Callable[[ServiceKey | None], None]
    now: Callable[[], float]

    def take(self, address: str, line: str) -> None:
        """One line of a gateway that is connected. ValueError: malformed."""
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError(f"not a line of demand: {line[:80]!r}")
        was_silent = self.board.silent
        key = self.board.told(address, message, self.now())
        if key is not None:
            self.changed(key)
        if was_silent != self.board.silent:
            self.changed(None)

    def lost(self, address: str) -> None:
        """A gateway is not heard any more."""
        was_silent = self.board.silent
        for key in self.board.lost(address):
            self.changed(key)
        if was_silent != self.board.silent:
            self.changed(None)
