"""The gateway's metrics: every name, and the labels of one service bound once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey
from tidegate.domain.worker_state import WorkerState

_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 3, 5, 8, 10, 15, 30, 60, 120, 300)
_COLD_SECONDS = (0.1, 0.5, 1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900)
WARM, COLD = 0, 1
Observe: TypeAlias = Callable[[float], None]
_STARTS = ("warm", "cold")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric as Prometheus knows it: name, help and type once, whatever the number of services."""

    name: str
    type: str
    help: str


DEPTH = Family("gateway_queue_depth", "gauge", "Requests waiting and in flight.")
IN_FLIGHT = Family("gateway_in_flight", "gauge", "Requests running on workers.")
PENDING = Family("gateway_pending_batch", "gauge", "Requests waiting for a worker.")
STATE = Family("gateway_worker_state", "gauge", "1 for the state that the service's workers are in.")
REQUESTS = Family("gateway_requests", "counter", "Requests by outcome and HTTP status.")
DELAY = Family("gateway_delay_seconds", "histogram", "From arrival to dispatch.")
EXECUTION = Family("gateway_execution_seconds", "histogram", "From dispatch to the last byte.")
TOTAL = Family("gateway_request_seconds", "histogram", "From arrival to the last byte.")
FIRST_TOKEN = Family(
    "gateway_time_to_first_token_seconds", "histogram", "From arrival to a stream's first byte."
)
WAKES = Family("gateway_wakes", "counter", "Wakes that the substrate accepted.")
COLD_START = Family("gateway_cold_start_seconds", "histogram", "From the wake until each part was reached.")
REJECTED = Family("gateway_rejected", "counter", "Requests refused before the queue.")
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


class Meters:
    """One service's numbers. A label is bound when it is first used and then kept, so that an observation
    is one call, and a service that never had a request costs almost nothing. The object goes with its
    service, so nothing of a removed service stays."""

    def __init__(self, key: ServiceKey | None) -> None:
        self.labels = label_text(namespace=key.namespace if key else "", service=key.name if key else "")
        self._bound: dict[str, list[tuple[str, MetricWrapperBase]]] = {}
        self._requests: dict[tuple[Outcome, int], Counter] = {}
        self._rejected: dict[str, Counter] = {}
        self._timings: list[tuple[Observe, Observe, Observe] | None] = [None, None]
        self._first_token: list[Observe | None] = [None, None]
        self._wakes: Counter | None = None
        self._cold_parts: dict[str, Observe] = {}

    def request(self, outcome: Outcome, status: int) -> None:
        """One request ended."""
        counter = self._requests.get((outcome, status))
        if counter is None:
            labels = label_text(outcome=outcome.value, code=str(status))
            counter = self._requests[(outcome, status)] = self._counter(REQUESTS, labels)
        counter.inc()

    def rejected(self, reason: str) -> None:
        """One request was refused before the queue."""
        counter = self._rejected.get(reason)
        if counter is None:
            counter = self._rejected[reason] = self._counter(REJECTED, label_text(reason=reason))
        counter.inc()

    def timings(self, start: int, delay: float, execution: float, total: float) -> None:
        """One request was dispatched and has ended; ``start`` is WARM or COLD."""
        bound = self._timings[start]
        if bound is None:
            labels = label_text(start=_STARTS[start])
            one, two, three = (self._histogram(f, labels, _SECONDS) for f in (DELAY, EXECUTION, TOTAL))
            bound = self._timings[start] = (one, two, three)
        bound[0](delay)
        bound[1](execution)
        bound[2](total)

    def first_token(self, start: int, seconds: float) -> None:
        """A stream's first byte was passed on."""
        bound = self._first_token[start]
        if bound is None:
            labels = label_text(start=_STARTS[start])
            bound = self._first_token[start] = self._histogram(FIRST_TOKEN, labels, _SECONDS)
        bound(seconds)

    def woken(self) -> None:
        """The substrate accepted a wake."""
        if self._wakes is None:
            self._wakes = self._counter(WAKES, "")
        self._wakes.inc()

    def cold_start(self, parts: dict[str, float]) -> None:
        """One cold start is complete."""
        for part, seconds in parts.items():
            if part not in self._cold_parts:
                histogram = self._histogram(COLD_START, label_text(part=part), _COLD_SECONDS)
                self._cold_parts[part] = histogram
            self._cold_parts[part](seconds)

    def gauge(self, family: Family, labels: str, read: Callable[[], float]) -> None:
        """A number that is read when it is asked for."""
        gauge = Gauge(family.name, family.help, registry=None)
        gauge.set_function(read)
        self._bind(family, labels, gauge)

    def worker_states(self, read: Callable[[], WorkerState]) -> None:
        """The service's state as one series for each word."""
        for state in WorkerState:
            self.gauge(STATE, label_text(state=state.value), _Is(read, state))

    def of(self, family: Family) -> Iterator[tuple[str, MetricWrapperBase]]:
        """The metrics of ``family`` that this service has, each with its labels' text."""
        for labels, metric in tuple(self._bound.get(family.name, ())):
            yield f"{self.labels},{labels}" if labels else self.labels, metric

    def _counter(self, family: Family, labels: str) -> Counter:
        counter = Counter(family.name, family.help, registry=None)
        self._bind(family, labels, counter)
        return counter

    def _histogram(self, family: Family, labels: str, edges: tuple[float, ...]) -> Observe:
        histogram = Histogram(family.name, family.help, buckets=edges, registry=None)
        self._bind(family, labels, histogram)
        return histogram.observe

    def _bind(self, family: Family, labels: str, metric: MetricWrapperBase) -> None:
        self._bound.setdefault(family.name, []).append((labels, metric))


class _Is:
    """1.0 while the state is the one meant."""

    def __init__(self, read: Callable[[], WorkerState], state: WorkerState) -> None:
        self._read, self._state = read, state

    def __call__(self) -> float:
        return 1.0 if self._read() is self._state else 0.0


def label_text(**labels: str) -> str:
    """``name="value"`` pairs as the exposition format wants them, escaped."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
