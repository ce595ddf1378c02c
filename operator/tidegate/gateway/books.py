"""What is written down about requests that have ended: metrics and access log.

Requests are written down in batches, a few hundred at a time or a few times a second: the same work takes
a third of the time in a loop of its own, and none of it stands between a request and its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tidegate.domain.outcome import Outcome
from tidegate.gateway.accesslog import LINE, AccessLog, quoted
from tidegate.gateway.metrics import COLD, WARM, Meters

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange

_BATCH = 256  # ended requests at most that are not written down yet; writing that many takes 1 ms
_REMEMBERED = 1024  # texts of which the JSON is kept
_REJECTED_REASONS = {
    Outcome.REJECTED_INVALID: "invalid",
    Outcome.REJECTED_UNKNOWN: "model_not_found",
    Outcome.REJECTED_SUSPENDED: "suspended",
    Outcome.REJECTED_UNAVAILABLE: "gateway_not_ready",
}


class Books:
    """The accounts of one gateway. Each ended request is in ``ended`` once, and in the books once."""

    def __init__(self, log: AccessLog, clock: Callable[[], float]) -> None:
        self.nowhere = Meters(None)  # requests that never found a service
        self._ended: list[Exchange] = []
        self._log = log
        self._clock = clock
        self._quoted: dict[str, bytes] = {}

    def ended(self, exchange: Exchange) -> None:
        """A request has ended; it must not change any more."""
        self._ended.append(exchange)
        if len(self._ended) >= _BATCH:
            self.settle()

    def settle(self) -> None:
        """Writes down whatever has ended; before anybody reads the metrics, and now and then."""
        ended, self._ended = self._ended, []
        since = time.time() - self._clock()  # of this clock's zero, in Unix time
        for exchange in ended:
            self._count(exchange)
            if self._log.enabled:
                self._log.add(self._line(exchange, since))

    def _count(self, x: Exchange) -> None:
        outcome = x.outcome
        if outcome is None:
            return
        meters = self.nowhere if x.service is None else x.service.meters
        meters.request(outcome, x.status)
        if outcome.rejected:
            meters.rejected(_REJECTED_REASONS.get(outcome) or x.reason)
        if x.dispatched:
            start = COLD if x.cold_wait > 0.0 else WARM
            meters.timings(start, x.dispatched - x.arrived, x.ended - x.dispatched, x.ended - x.arrived)
            if x.sse and x.first_byte:
                meters.first_token(start, x.first_byte - x.arrived)

    def _line(self, x: Exchange, since: float) -> bytes:
        model = x.peeked.model
        return LINE % (
            since + x.ended,
            x.id,
            x.outcome.text if x.outcome else b"",
            x.status,
            b"" if x.service is None else x.service.text,
            x.request.head.method,
            self._json(x.target.partition(b"?")[0].decode("latin-1")),
            b'""' if model is None else self._json(model),
            b"true" if x.peeked.stream is True else b"false",
            x.tries,
            (x.dispatched or x.ended) - x.arrived,
            x.first_byte - x.arrived if x.first_byte else 0.0,
            x.ended - x.arrived,
            self._json(x.reason),
        )

    def _json(self, text: str) -> bytes:
        """A text as JSON. Few texts come, and often; those that clients invent are forgotten."""
        found = self._quoted.get(text)
        if found is None:
            if len(self._quoted) >= _REMEMBERED:
                self._quoted.clear()
            found = self._quoted[text] = quoted(text)
        return found
