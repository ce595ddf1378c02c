"""What the gateways report: requests that wait and run, and when the last one came or ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.domain.scaling import Load
from tidegate.domain.service import ServiceKey
from tidegate.domain.start_record import StartRecord, parse_records

_MOST_STARTS = 16  # records of one service that are remembered
_CLOCKS_APART = 60.0  # seconds; a start that is yet to be would keep all before it from being counted


@dataclass(frozen=True, slots=True)
class Report:
    """One gateway's numbers for one service; ``last_activity`` in Unix time, None: never a request.
    ``execution_seconds``: how long requests have run lately, None: unknown, or another gateway's to tell.
    ``starting``: it watches a cold start that has not ended."""

    waiting: int
    in_flight: int
    last_activity: float | None
    execution_seconds: float | None = None
    starting: bool = False
    leaving: int = 0  # of those in flight: on workers that take nothing new


@dataclass
class _Gateway:
    reports: dict[ServiceKey, Report] = field(default_factory=dict)
    synced: bool = False  # it has told all it has since it was connected


class DemandBoard:
    """The latest report of every gateway, by its address.

    A gateway that should be heard and is not makes the board silent: its sums may be too little.
    """

    def __init__(self) -> None:
        self._gateways: dict[str, _Gateway] = {}
        self._expected: frozenset[str] | None = None  # None: the gateways are not known yet
        self._past: dict[ServiceKey, float] = {}  # the last activity that a lost gateway told of
        self._starts: dict[ServiceKey, tuple[StartRecord, ...]] = {}  # the last few, whoever told of them

    @property
    def silent(self) -> bool:
        """Whether a gateway that serves is not heard."""
        if self._expected is None:
            return True
        return any(not self.heard(address) for address in self._expected)

    def heard(self, address: str) -> bool:
        """Whether a gateway is connected and has told all it has."""
        gateway = self._gateways.get(address)
        return gateway is not None and gateway.synced

    @property
    def serving(self) -> frozenset[str]:
        """The gateways that serve requests now, as far as they are known."""
        return self._expected or frozenset()

    def expect(self, addresses: Iterable[str]) -> None:
        """These gateways serve requests now."""
        self._expected = frozenset(addresses)

    def connected(self, address: str) -> None:
        """A gateway begins to tell everything anew."""
        self.lost(address)
        self._gateways[address] = _Gateway()

    def lost(self, address: str) -> set[ServiceKey]:
        """A gateway is not heard any more; the services that it told of."""
        gateway = self._gateways.pop(address, _Gateway())
        for key, report in gateway.reports.items():
            if report.last_activity is not None:
                self._past[key] = max(report.last_activity, self._past.get(key, 0.0))
        return set(gateway.reports)

    def told(self, address: str, line: Mapping[str, Any], now: float) -> ServiceKey | None:
        """Take one line; the service it is about, None for a heartbeat. ValueError: malformed."""
        gateway = self._gateways[address]
        if line.get("synced"):
            gateway.synced = True
        if "service" not in line:
            return None
        key = ServiceKey.parse(str(line["service"]))
        if line.get("removed"):
            gateway.reports.pop(key, None)
            self.forget(key)  # the service is gone; a standby hears it from nobody else
        else:
            gateway.reports[key] = _report(line, now)
            records = parse_records(line.get("coldStarts"))
            self._note_starts(key, [each for each in records if each.at <= now + _CLOCKS_APART])
        return key

    def knows(self, key: ServiceKey) -> bool:
        """Whether a gateway has told of this service since it was connected."""
        return any(gateway.synced and key in gateway.reports for gateway in self._gateways.values())

    def load(self, key: ServiceKey) -> Load:
        """The sum over all gateways."""
        reports = [gateway.reports[key] for gateway in self._gateways.values() if key in gateway.reports]
        activities = [each.last_activity for each in reports if each.last_activity is not None]
        activities += [self._past[key]] if key in self._past else []
        seconds = [each.execution_seconds for each in reports if each.execution_seconds is not None]
        return Load(
            waiting=sum(each.waiting for each in reports),
            in_flight=sum(each.in_flight for each in reports),
            last_activity=max(activities, default=None),
            silent=self.silent,
            execution_seconds=max(seconds, default=None),  # only while arbiters change is there more than one
            leaving=sum(each.leaving for each in reports),
        )

    def _note_starts(self, key: ServiceKey, told: list[StartRecord]) -> None:
        if told:
            known = {(each.worker, each.at): each for each in (*self._starts.get(key, ()), *told)}
            self._starts[key] = tuple(sorted(known.values(), key=lambda each: each.at))[-_MOST_STARTS:]

    def starts(self, key: ServiceKey) -> tuple[StartRecord, ...]:
        """The last cold starts that gateways have told of, oldest first."""
        return self._starts.get(key, ())

    def start_pending(self, key: ServiceKey) -> bool:
        """Whether a gateway may tell of a cold start that has not ended, or that was not heard of."""
        reports = (gateway.reports.get(key) for gateway in self._gateways.values())
        return self.silent or any(report is not None and report.starting for report in reports)

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._past.pop(key, None)
        self._starts.pop(key, None)


def _report(line: Mapping[str, Any], now: float) -> Report:
    waiting, in_flight, idle = line.get("waiting"), line.get("inFlight"), line.get("idleSeconds")
    seconds, leaving = line.get("executionSeconds"), line.get("leaving", 0)  # earlier releases do not tell
    if (
        not isinstance(waiting, int)
        or not isinstance(in_flight, int)
        or not isinstance(leaving, int)
        or not isinstance(idle, int | float | None)
        or not isinstance(seconds, int | float | None)
    ):
        raise ValueError(f"not a line of demand: {dict(line)!r}")
    activity = None if idle is None else now - idle
    starting = line.get("starting") is True
    return Report(waiting, in_flight, activity, seconds, starting=starting, leaving=leaving)
