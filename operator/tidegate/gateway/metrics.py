"""The gateway's metrics: every name, and the numbers of one service.

The numbers are plain integers and lists, written as Prometheus' text by this module, and compared with
prometheus-client's own text in the tests. Its objects were measured first: an observation cost 0.8 to 1.1 µs
(here 0.2; there are three in each request), a histogram of a service 4 KB in 60 objects (here 0.3 KB in 2),
and with a thousand services Python's garbage collector stopped every stream for 0.33 s to look at them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey
from tidegate.domain.worker_state import WorkerState

SECONDS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
COLD_SECONDS = (
    0.1,
    0.5,
    1.0,
    2.0,
    3.0,
    5.0,
    8.0,
    10.0,
    15.0,
    20.0,
    30.0,
    60.0,
    90.0,
    180.0,
    300.0,
    600.0,
    900.0,
)
WARM, COLD = 0, 1
_STARTS = ("warm", "cold")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric as Prometheus knows it: name, type and help once, whatever the number of services."""

    name: str
    type: str
    help: str


DEPTH = Family("gateway_queue_depth", "gauge", "Requests waiting and in flight.")
IN_FLIGHT = Family("gateway_in_flight", "gauge", "Requests running on workers.")
PENDING = Family("gateway_pending_batch", "gauge", "Requests waiting for a worker.")
STATE = Family("gateway_worker_state", "gauge", "1 for the state that the service's workers are in.")
REQUESTS = Family("gateway_requests_total", "counter", "Requests by outcome and HTTP status.")
DELAY = Family("gateway_delay_seconds", "histogram", "From arrival to dispatch.")
EXECUTION = Family("gateway_execution_seconds", "histogram", "From dispatch to the last byte.")
TOTAL = Family("gateway_request_seconds", "histogram", "From arrival to the last byte.")
FIRST_TOKEN = Family(
    "gateway_time_to_first_token_seconds", "histogram", "From arrival to a stream's first byte."
)
WAKES = Family("gateway_wakes_total", "counter", "Wakes that were accepted and changed something.")
COLD_START = Family("gateway_cold_start_seconds", "histogram", "From the wake until each part was reached.")
REJECTED = Family("gateway_rejected_total", "counter", "Requests refused before the queue.")
FAMILIES = (
    DEPTH,
    IN_FLIGHT,
    PENDING,
    STATE,
    REQUESTS,
    DELAY,
    EXECUTION,
    TOTAL,
    FIRST_TOKEN,
    WAKES,
    COLD_START,
    REJECTED,
)

Gauges: TypeAlias = Callable[[], dict[Family, int]]


class Distribution:
    """A histogram: how many observations fell between two edges (the upper one included), and their sum."""

    __slots__ = ("_counts", "_edges", "_sum")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self._edges = edges
        self._counts = [0] * (len(edges) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """One observation."""
        self._counts[bisect_left(self._edges, value)] += 1
        self._sum += value

    def text(self, name: str, labels: str) -> str:
        """Its samples; buckets count everything up to their edge."""
        up_to = list(accumulate(self._counts))
        lines = [
            f'{name}_bucket{{{labels},le="{edge}"}} {count}\n'
            for edge, count in zip((*self._edges, "+Inf"), up_to, strict=True)
        ]
        tail = f"{name}_sum{{{labels}}} {self._sum!r}\n{name}_count{{{labels}}} {up_to[-1]}\n"
        return "".join(lines) + tail


class Meters:
    """One service's numbers. A label has a series from its first use on, so that a service which never had
    a request costs almost nothing; the object goes with its service, and so do all of its series."""

    def __init__(
        self,
        key: ServiceKey | None,
        gauges: Gauges | None = None,
        state: Callable[[], WorkerState] | None = None,
    ) -> None:
        self._labels = label_text(namespace=key.namespace if key else "", service=key.name if key else "")
        self._gauges, self._state = gauges, state
        self._requests: dict[tuple[bytes, int], int] = {}  # an Enum's own hash costs more than all the rest
        self._rejected: dict[str, int] = {}
        self._wakes = 0
        self._timings: list[tuple[Distribution, Distribution, Distribution] | None] = [None, None]
        self._first_token: list[Distribution | None] = [None, None]
        self._cold_parts: dict[str, Distribution] = {}

    def request(self, outcome: Outcome, status: int) -> None:
        """One request ended."""
        key = (outcome.text, status)
        self._requests[key] = self._requests.get(key, 0) + 1

    def rejected(self, reason: str) -> None:
        """One request was refused before the queue."""
        self._rejected[reason] = self._rejected.get(reason, 0) + 1

    def timings(self, start: int, delay: float, execution: float, total: float) -> None:
        """One request was dispatched and has ended; ``start`` is WARM or COLD."""
        three = self._timings[start]
        if three is None:
            three = self._timings[start] = Distribution(SECONDS), Distribution(SECONDS), Distribution(SECONDS)
        three[0].observe(delay)
        three[1].observe(execution)
        three[2].observe(total)

    def first_token(self, start: int, seconds: float) -> None:
        """A stream's first byte was passed on."""
        one = self._first_token[start]
        if one is None:
            one = self._first_token[start] = Distribution(SECONDS)
        one.observe(seconds)

    def woken(self) -> None:
        """The substrate accepted a wake, and it changed something."""
        self._wakes += 1

    def cold_start(self, parts: dict[str, float]) -> None:
        """One cold start is complete."""
        for part, seconds in parts.items():
            self._cold_parts.setdefault(part, Distribution(COLD_SECONDS)).observe(seconds)

    def text(self, family: Family) -> str:
        """This service's samples of one metric; empty where it has none."""
        if family.type == "histogram":
            found = self._distributions(family)
            return "".join(one.text(family.name, f"{self._labels},{labels}") for labels, one in found)
        return "".join(
            f"{family.name}{{{self._labels}{labels}}} {value}\n" for labels, value in self._numbers(family)
        )

    def _distributions(self, family: Family) -> Iterator[tuple[str, Distribution]]:
        if family is COLD_START:
            yield from ((label_text(part=part), one) for part, one in self._cold_parts.items())
            return
        place = {DELAY: 0, EXECUTION: 1, TOTAL: 2}.get(family)
        for start, word in enumerate(_STARTS):
            three = self._timings[start]
            one = self._first_token[start] if place is None else three[place] if three else None
            if one is not None:
                yield label_text(start=word), one

    def _numbers(self, family: Family) -> Iterator[tuple[str, int]]:
        if family is REQUESTS:
            for (outcome, status), count in self._requests.items():
                yield "," + label_text(outcome=outcome.decode(), code=str(status)), count
        elif family is REJECTED:
            yield from (("," + label_text(reason=reason), count) for reason, count in self._rejected.items())
        elif family is STATE and self._state is not None:
            now = self._state()
            yield from (("," + label_text(state=s.value), int(s is now)) for s in WorkerState)
        elif family is WAKES and self._wakes:
            yield "", self._wakes
        elif self._gauges is not None and family in (numbers := self._gauges()):
            yield "", numbers[family]


def label_text(**labels: str) -> str:
    """``name="value"`` pairs as the exposition format wants them, escaped."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
