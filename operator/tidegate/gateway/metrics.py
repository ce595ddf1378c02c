"""The numbers of one service, and their text.

The numbers are plain integers and lists, written as Prometheus' text by this module, and compared with
prometheus-client's own text in the tests. Its objects were measured first: an observation cost 0.8 to 1.1 µs
(here 0.1; there are three in each request), a histogram of a service 4 KB in 60 objects (here 0.3 KB in 2),
and with a thousand services Python's garbage collector stopped every stream for 0.33 s to look at them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import accumulate
from math import inf
from typing import Final, TypeAlias

from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey
from tidegate.domain.start_parts import Part
from tidegate.domain.worker_state import WorkerState
from tidegate.gateway import families as f
from tidegate.gateway.families import Family
from tidegate.gateway.usage import Usage

CLIENT_GONE_STATUS: Final = 499  # nginx's number for a client that closed; nobody reads it but the metric
WARM: Final = 0
COLD: Final = 1
_STARTS: Final = ("warm", "cold")
_PLACES: Final = {f.DELAY: 0, f.EXECUTION: 1, f.TOTAL: 2}
_KINDS: Final = ("prompt", "completion", "cached")
_KNOWN_CODES: Final = {status.value for status in HTTPStatus} | {CLIENT_GONE_STATUS}
# A worker may answer with any number. Those that HTTP knows have a series each, the others one for each
# hundred, so that a service has 70 at most for each outcome.
_CODES: Final = tuple(str(n) if n in _KNOWN_CODES else f"{n // 100}xx" for n in range(1000))

_UP_TO: Final = (*f.SECONDS, inf)
_SHORT: Final = f.SECONDS[0]
_AT_ONCE: Final = 0.001  # seconds: a stream whose tokens came in less has no rate

Gauges: TypeAlias = Callable[[], dict[Family, int]]


class Distribution:
    """A histogram: how many observations fell between two edges (the upper one included), and their sum."""

    __slots__ = ("counts", "edges", "sum")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One observation."""
        self.counts[bisect_left(self.edges, value)] += 1
        self.sum += value

    def text(self, name: str, labels: str) -> str:
        """Its samples; buckets count everything up to their edge."""
        up_to = list(accumulate(self.counts))
        lines = [
            f'{name}_bucket{{{labels},le="{edge}"}} {count}\n'
            for edge, count in zip((*self.edges, "+Inf"), up_to, strict=True)
        ]
        tail = f"{name}_sum{{{labels}}} {self.sum!r}\n{name}_count{{{labels}}} {up_to[-1]}\n"
        return "".join(lines) + tail


class Timings:
    """The three histograms of every request that was dispatched: delay, execution and total."""

    __slots__ = ("all",)

    def __init__(self) -> None:
        self.all = Distribution(f.SECONDS), Distribution(f.SECONDS), Distribution(f.SECONDS)

    def observe(self, arrived: float, dispatched: float, ended: float) -> None:
        """One request. With a short delay, the usual case, one search finds the place in all three."""
        delays, executions, totals = self.all
        delay, execution, total = dispatched - arrived, ended - dispatched, ended - arrived
        place = bisect_left(f.SECONDS, execution)
        delays.counts[0 if delay <= _SHORT else bisect_left(f.SECONDS, delay)] += 1
        executions.counts[place] += 1
        totals.counts[place if total <= _UP_TO[place] else bisect_left(f.SECONDS, total)] += 1
        delays.sum += delay
        executions.sum += execution
        totals.sum += total


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
        self._requests: dict[tuple[str, str], int] = {}  # an Enum's own hash costs more than all the rest
        self._rejected: dict[str, int] = {}
        self._wakes = 0
        self._degraded: dict[int, int] = {}  # by tier
        self._timings: list[Timings | None] = [None, None]
        self._first_token: list[Distribution | None] = [None, None]
        self._rate: list[Distribution | None] = [None, None]
        self._tokens: list[int] | None = None  # as _KINDS
        self._cold_parts: dict[str, Distribution] = {}
        self._cold_whole: Distribution | None = None

    def request(self, outcome: Outcome, status: int) -> None:
        """One request ended."""
        key = (outcome.text, _CODES[status])
        try:
            self._requests[key] += 1
        except KeyError:
            self._requests[key] = 1

    def requests(self) -> dict[tuple[str, str], int]:
        """How many ended, by outcome and code."""
        return dict(self._requests)

    def rejected(self, reason: str) -> None:
        """One request was refused before the queue."""
        self._rejected[reason] = self._rejected.get(reason, 0) + 1

    def timings(self, start: int, arrived: float, dispatched: float, ended: float) -> None:
        """One request was dispatched and has ended; ``start`` is WARM or COLD."""
        timings = self._timings[start]
        if timings is None:
            timings = self._timings[start] = Timings()
        timings.observe(arrived, dispatched, ended)

    def stream(self, start: int, first: float, tokens: int | None, rest: float) -> None:
        """A stream has ended: seconds to its first byte, its tokens where they were told, seconds after it.

        The rate is that of the tokens after the first: n tokens have n - 1 gaps.
        """
        one = self._first_token[start]
        if one is None:
            one = self._first_token[start] = Distribution(f.SECONDS)
        one.observe(first)
        if tokens is None or tokens < 2 or rest < _AT_ONCE:
            return
        one = self._rate[start]
        if one is None:
            one = self._rate[start] = Distribution(f.PER_SECOND)
        one.observe((tokens - 1) / rest)

    def tokens(self, usage: Usage) -> None:
        """An engine told the tokens of one request."""
        sums = self._tokens
        if sums is None:
            sums = self._tokens = [0, 0, 0]
        sums[0] += usage.prompt_tokens or 0
        sums[1] += usage.completion_tokens or 0
        sums[2] += usage.cached_tokens or 0

    def degraded(self, tier: int) -> None:
        """One request's limit of tokens was lowered."""
        self._degraded[tier] = self._degraded.get(tier, 0) + 1

    def woken(self) -> None:
        """The substrate accepted a wake, and it changed something."""
        self._wakes += 1

    def cold_start(self, parts: dict[Part, float]) -> None:
        """One cold start has ended; the whole counts where a client got a byte."""
        for part, seconds in parts.items():
            self._cold_parts.setdefault(part.value, Distribution(f.COLD_SECONDS)).observe(seconds)
        if Part.FIRST_BYTE in parts:
            self._cold_whole = self._cold_whole or Distribution(f.COLD_SECONDS)
            self._cold_whole.observe(sum(parts.values()))

    def text(self, family: Family) -> str:
        """This service's samples of one metric; empty where it has none."""
        if family.type == "histogram":
            found = self._distributions(family)
            return "".join(one.text(family.name, self._labels + labels) for labels, one in found)
        return "".join(
            f"{family.name}{{{self._labels}{labels}}} {value}\n" for labels, value in self._numbers(family)
        )

    def counts(self, family: Family) -> list[int]:
        """Observations between two edges, warm and cold starts together; the last is above all edges."""
        sums = [0] * (len(f.EDGES[family]) + 1)
        for _, one in self._distributions(family):
            sums = [a + b for a, b in zip(sums, one.counts, strict=True)]
        return sums

    def _distributions(self, family: Family) -> Iterator[tuple[str, Distribution]]:
        if family is f.COLD_START:
            yield from (("," + label_text(part=part), one) for part, one in self._cold_parts.items())
            return
        if family is f.COLD_START_WHOLE:
            yield from [("", self._cold_whole)] if self._cold_whole else []
            return
        for start, word in enumerate(_STARTS):
            one = self._by_start(family, start)
            if one is not None:
                yield "," + label_text(start=word), one

    def _by_start(self, family: Family, start: int) -> Distribution | None:
        if family is f.FIRST_TOKEN:
            return self._first_token[start]
        if family is f.RATE:
            return self._rate[start]
        timings = self._timings[start]
        return None if timings is None else timings.all[_PLACES[family]]

    def _numbers(self, family: Family) -> Iterator[tuple[str, int]]:
        if family is f.REQUESTS:
            for (outcome, code), count in self._requests.items():
                yield "," + label_text(outcome=outcome, code=code), count
        elif family is f.REJECTED:
            yield from (("," + label_text(reason=reason), count) for reason, count in self._rejected.items())
        elif family is f.TOKENS and self._tokens is not None:
            yield from (("," + label_text(kind=k), n) for k, n in zip(_KINDS, self._tokens, strict=True) if n)
        elif family is f.STATE and self._state is not None:
            now = self._state()
            yield from (("," + label_text(state=s.value), int(s is now)) for s in WorkerState)
        elif family is f.DEGRADED:
            yield from (("," + label_text(tier=str(tier)), n) for tier, n in self._degraded.items())
        elif family is f.WAKES and self._wakes:
            yield "", self._wakes
        elif self._gauges is not None and family in (numbers := self._gauges()):
            yield "", numbers[family]


def label_text(**labels: str) -> str:
    """``name="value"`` pairs as the exposition format wants them, escaped."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
