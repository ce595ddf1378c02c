"""What gateways have counted for the services with targets, and the condition SLOMet that follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.domain.conditions import SLO_MET, Condition
from tidegate.domain.service import ServiceKey
from tidegate.domain.slo import Target
from tidegate.domain.slo_verdict import REWORD_SECONDS, UNTOLD, judged, same_verdict
from tidegate.domain.slo_window import Reading, SloWindow


@dataclass
class _Said:
    condition: Condition
    at: float  # Unix time from which on these words stand


class SloBoard:
    """A window for each service; forgotten with it."""

    def __init__(self) -> None:
        self._windows: dict[ServiceKey, SloWindow] = {}
        self._said: dict[ServiceKey, _Said] = {}

    def watch(self, keys: Iterable[ServiceKey], now: float) -> None:
        """These services have targets; what others had is forgotten."""
        wanted = set(keys)
        for key in self._windows.keys() - wanted:
            self.forget(key)
        for key in wanted - self._windows.keys():
            self._windows[key] = SloWindow(began=now)

    def told(self, key: ServiceKey, address: str, reading: Reading, now: float) -> None:
        """A gateway has answered."""
        if window := self._windows.get(key):
            window.told(address, reading, now)

    def gateways(self, addresses: set[str]) -> None:
        """Those that are asked; others are gone."""
        for window in self._windows.values():
            window.keep_only(addresses)

    def condition(
        self, key: ServiceKey, targets: Sequence[Target], previous: Mapping[str, Any], now: float
    ) -> Condition | None:
        """SLOMet as it should stand; ``previous``: as it stands. None: the service has no targets."""
        if not targets:
            return None
        window = self._windows.get(key)
        fresh = judged(targets, window, previous, now) if window else None
        if fresh is None:
            return _kept(previous)
        return self._worded(key, fresh, previous, now)

    def _worded(
        self, key: ServiceKey, fresh: Condition, previous: Mapping[str, Any], now: float
    ) -> Condition:
        """The same verdict keeps its words for minutes, so that figures that move write nothing."""
        said = self._said.get(key)
        if said is None and previous.get("status"):
            said = self._said[key] = _Said(_kept(previous), now)
        if said and same_verdict(said.condition, fresh) and now - said.at < REWORD_SECONDS:
            return said.condition
        self._said[key] = _Said(fresh, now)
        return fresh

    def forget(self, key: ServiceKey) -> None:
        """A service is gone, or has no targets any more."""
        self._windows.pop(key, None)
        self._said.pop(key, None)


def _kept(previous: Mapping[str, Any]) -> Condition:
    """What stands already; before the first verdict that nothing is known."""
    if not previous.get("status"):
        return UNTOLD
    return Condition(SLO_MET, *(str(previous.get(name, "")) for name in ("status", "reason", "message")))
