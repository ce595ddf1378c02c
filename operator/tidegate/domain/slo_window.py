"""The last ten minutes of one service: what each gateway has counted since the look before."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tidegate.domain.slo import WINDOW_SECONDS, Tally, total_of


@dataclass(frozen=True, slots=True)
class Reading:
    """One gateway's counters at a moment. ``instance`` is another one once it was started again.

    ``uptime``: seconds that it has counted for.
    """

    instance: str
    uptime: float
    tally: Tally


@dataclass
class SloWindow:
    """Times are Unix seconds. A gateway's first reading is where the counting begins, unless all that it has
    counted lies within the window."""

    began: float  # since when gateways are asked
    heard: float = 0.0  # when one answered last
    _last: dict[str, Reading] = field(default_factory=dict)  # by address
    _parts: deque[tuple[float, Tally]] = field(default_factory=deque)

    def told(self, address: str, reading: Reading, now: float) -> None:
        """A gateway has answered."""
        before, self.heard = self._last.get(address), now
        self._last[address] = reading
        if before is not None and before.instance == reading.instance:
            part = reading.tally.since(before.tally)
        elif before is not None or reading.uptime <= WINDOW_SECONDS:
            part = reading.tally
        else:
            return
        self._parts.append((now, part))

    def keep_only(self, addresses: set[str]) -> None:
        """Other gateways are gone; what they counted stays until it is old."""
        self._last = {address: reading for address, reading in self._last.items() if address in addresses}

    def tally(self, now: float) -> Tally:
        """What was counted in the window."""
        while self._parts and self._parts[0][0] <= now - WINDOW_SECONDS:
            self._parts.popleft()
        return total_of([part for _, part in self._parts])
