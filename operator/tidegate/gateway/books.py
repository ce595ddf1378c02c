"""What is written down about requests that have ended: metrics and access log.

Requests are written down in batches, a few hundred at a time or a few times a second: the same work takes
a third of the time in a loop of its own, and none of it stands between a request and its answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tidegate.domain.api_errors import ApiError
from tidegate.domain.outcome import Outcome
from tidegate.gateway.accesslog import MAX_TEXT, AccessLog, Line
from tidegate.gateway.metrics import COLD, WARM, Meters
from tidegate.gateway.usage import Usage, usage_of

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange

_log = logging.getLogger("tidegate.gateway")
_BATCH: Final = 256  # ended requests at most that are not written down yet; writing that many takes half a ms
_REMEMBERED: Final = 1024  # paths of which the text is kept
_COLD_TIMEOUT: Final = Outcome.EVICTED_COLD_START_TIMEOUT
_GONE: Final = Outcome.CLIENT_GONE  # for the type checker: what has ended has an outcome
_UNTOLD: Final = Usage()
_REJECTED_REASONS: Final = {
    Outcome.REJECTED_INVALID.text: "invalid",
    Outcome.REJECTED_UNKNOWN.text: "model_not_found",
    Outcome.REJECTED_SUSPENDED.text: "suspended",
    Outcome.REJECTED_UNAVAILABLE.text: "gateway_not_ready",
}


def rejected_reasons(outcome: Outcome) -> tuple[str, ...]:
    """The values of the label ``reason`` with that outcome: its own one, or what the queue says is full."""
    reason = _REJECTED_REASONS.get(outcome.text)
    return (reason,) if reason else ("depth", "bytes")


class Books:
    """The accounts of one gateway. Each ended request is in ``ended`` once, and in the books once."""

    def __init__(self, log: AccessLog, clock: Callable[[], float]) -> None:
        self.nowhere = Meters(None)  # requests that never found a service
        self._ended: list[Exchange] = []
        self._log = log
        self._clock = clock
        self._paths: dict[bytes, str] = {}

    def ended(self, exchange: Exchange) -> None:
        """A request has ended; it must not change any more."""
        self._ended.append(exchange)
        if len(self._ended) >= _BATCH:
            self.settle()

    def settle(self) -> None:
        """Writes down whatever has ended; before anybody reads the metrics, and now and then."""
        ended, self._ended = self._ended, []
        enabled, lines = self._log.enabled, []
        since = time.time() - self._clock() if ended else 0.0  # of this clock's zero, in Unix time
        for exchange in ended:
            try:
                usage = self._enter(exchange)
                if enabled:
                    lines.append(self._line(exchange, usage, since))
            except Exception:  # noqa: BLE001 - whatever it is, it is logged, and costs this line alone
                _log.exception("the accounts of a request failed")
        if lines:
            self._log.add(lines)

    def refused(self, error: ApiError) -> None:
        """``error`` was sent for bytes that never became a request: too rare to be collected."""
        self.nowhere.request(error.outcome, error.status)
        self.nowhere.rejected("invalid")
        if self._log.enabled:
            self._log.add([_refusal(error, time.time())])

    def _enter(self, x: Exchange) -> Usage:
        """Into the metrics; what the engine told of tokens."""
        outcome, dispatched = x.outcome or _GONE, x.dispatched
        meters = self.nowhere if x.service is None else x.service.meters
        meters.request(outcome, x.status)
        if outcome.rejected:
            meters.rejected(_REJECTED_REASONS.get(outcome.text) or x.reason)
        if not dispatched:
            return _UNTOLD
        start = COLD if x.cold_wait > 0.0 else WARM
        meters.timings(start, x.arrived, dispatched, x.ended)
        usage = usage_of(x.tail) if x.tail else None
        if usage is not None:
            meters.tokens(usage)
        if x.sse and x.first_byte:
            tokens = None if usage is None else usage.completion_tokens
            meters.stream(start, x.first_byte - x.arrived, tokens, x.ended - x.first_byte)
        return usage or _UNTOLD

    def _line(self, x: Exchange, usage: Usage, since: float) -> Line:
        """Durations are cut to a millionth in one operation each: round() takes four times as long."""
        outcome = x.outcome or _GONE
        arrived, first, ended = x.arrived, x.first_byte, x.ended
        service, peeked, request = x.service, x.peeked, x.request
        model = peeked.model
        waited, cold = (x.dispatched or ended) - arrived, x.cold_wait
        if outcome is _COLD_TIMEOUT:
            cold = waited
        return Line(
            since + ended,
            x.id.decode(),
            outcome.text,
            x.status,
            "" if service is None else service.text,
            x.endpoint.decode(),
            request.head.method.decode(),
            self._paths.get(x.target) or self._path(x.target),
            "" if model is None else model[:MAX_TEXT],
            peeked.stream is True,
            x.tries,
            waited * 1e6 // 1.0 / 1e6,
            cold and cold * 1e6 // 1.0 / 1e6,
            (first - arrived) * 1e6 // 1.0 / 1e6 if first else None,
            (ended - arrived) * 1e6 // 1.0 / 1e6,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            request.received,
            x.reason,
            x.degraded,
        )

    def _path(self, target: bytes) -> str:
        """A target's path. Few come, and often; those that clients invent are forgotten."""
        if len(self._paths) >= _REMEMBERED:
            self._paths.clear()
        found = self._paths[target] = target.partition(b"?")[0].decode("latin-1")[:MAX_TEXT]
        return found


def _refusal(error: ApiError, now: float) -> Line:
    """The line of bytes that were no request: nothing about them is certain but what was wrong."""
    return Line(now, "", error.outcome.text, error.status, reason=error.message[:MAX_TEXT])
