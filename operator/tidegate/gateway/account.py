"""What is written down about a request when it ends: metrics, access log, demand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tidegate.domain.outcome import Outcome
from tidegate.gateway import accesslog
from tidegate.gateway.metrics import COLD, WARM, Meters

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
    outcome, service, traffic = exchange.outcome, exchange.service, exchange.traffic
    if outcome is None:
        return
    meters = traffic.nowhere
    if service is not None:
        meters = service.meters
        if exchange.ticket is not None:
            service.arbiter.done(exchange.ticket)
            service.ended(now)
    meters.request(outcome, exchange.status)
    if outcome.rejected:
        meters.rejected(_REJECTED_REASONS.get(outcome) or exchange.reason)
    if exchange.dispatched:
        _timings(exchange, meters, now)
    if traffic.log.enabled:
        traffic.log.add(_line(exchange, outcome, now))


def _timings(exchange: Exchange, meters: Meters, now: float) -> None:
    start = COLD if exchange.cold_wait > 0.0 else WARM
    arrived, dispatched = exchange.arrived, exchange.dispatched
    meters.timings(start, dispatched - arrived, now - dispatched, now - arrived)
    if exchange.sse and exchange.first_byte:
        meters.first_token(start, exchange.first_byte - arrived)


def _line(exchange: Exchange, outcome: Outcome, now: float) -> bytes:
    service, arrived, first = exchange.service, exchange.arrived, exchange.first_byte
    model = exchange.peeked.model
    return accesslog.LINE % (
        time.time(),
        exchange.id,
        outcome.value.encode(),
        exchange.status,
        b"" if service is None else service.text,
        exchange.request.method,
        accesslog.quoted(exchange.target.partition(b"?")[0].decode("latin-1")),
        b'""' if model is None else accesslog.quoted(model),
        b"true" if exchange.peeked.stream is True else b"false",
        exchange.tries,
        (exchange.dispatched or now) - arrived,
        first - arrived if first else 0.0,
        now - arrived,
        accesslog.quoted(exchange.reason) if exchange.reason else b'""',
    )
