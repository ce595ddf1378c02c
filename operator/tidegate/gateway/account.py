"""What is written down about a request when it ends: metrics, access log, demand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tidegate.domain.outcome import Outcome
from tidegate.gateway.accesslog import Line
from tidegate.gateway.metrics import COLD, WARM

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange

_REJECTED_REASONS = {
    Outcome.REJECTED_INVALID: "invalid",
    Outcome.REJECTED_UNKNOWN: "model_not_found",
    Outcome.REJECTED_SUSPENDED: "suspended",
    Outcome.REJECTED_UNAVAILABLE: "gateway_not_ready",
}


def waited(exchange: Exchange) -> tuple[float, float]:
    """Seconds from arrival to dispatch, or until now where it was not dispatched; and those of them in
    which no worker was ready."""
    service = exchange.service
    if exchange.dispatched:
        return exchange.dispatched - exchange.arrived, exchange.cold_wait
    so_far = exchange.traffic.time() - exchange.arrived
    return so_far, so_far if service is not None and not service.flow.endpoints else 0.0


def ended(exchange: Exchange, now: float) -> None:
    """The one place where a request's end is counted; called once for each."""
    service, ticket = exchange.service, exchange.ticket
    if service is not None and ticket is not None:
        service.arbiter.done(ticket)
        service.ended(now)
    _count(exchange, now)
    if exchange.traffic.log.enabled:
        exchange.traffic.log.add(_line(exchange, now))


def _count(exchange: Exchange, now: float) -> None:
    outcome, service = exchange.outcome, exchange.service
    if outcome is None:
        return
    meters = exchange.traffic.nowhere if service is None else service.meters
    meters.request(outcome, exchange.status)
    if outcome.rejected:
        meters.rejected(_REJECTED_REASONS.get(outcome) or exchange.reason)
    if not exchange.dispatched:
        return
    start = COLD if exchange.cold_wait > 0.0 else WARM
    arrived, dispatched = exchange.arrived, exchange.dispatched
    meters.timings(start, dispatched - arrived, now - dispatched, now - arrived)
    if exchange.sse and exchange.first_byte:
        meters.first_token(start, exchange.first_byte - arrived)


def _line(exchange: Exchange, now: float) -> Line:
    request, service, outcome = exchange.request, exchange.service, exchange.outcome
    return Line(
        time=time.time(),
        id=exchange.id.decode(),
        outcome=outcome.value if outcome else "",
        code=exchange.status,
        service=str(service.key) if service else "",
        method=request.method.decode(),
        path=exchange.target.partition(b"?")[0].decode("latin-1"),
        model=exchange.peeked.model or "",
        stream=exchange.peeked.stream is True,
        tries=exchange.tries,
        queue_wait=round((exchange.dispatched or now) - exchange.arrived, 6),
        first_byte=round(exchange.first_byte - exchange.arrived, 6) if exchange.first_byte else 0.0,
        total=round(now - exchange.arrived, 6),
        reason=exchange.reason,
    )
