"""What a client reads when its request does not end as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.domain.api_errors import ApiError
from tidegate.gateway import response

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange
    from tidegate.gateway.upstream import Upstream

AT_ONCE: Final = 0.00005  # seconds; rounds to 0.0 ms


def own_fields(x: Exchange) -> bytes:
    """The gateway's own lines in each answer: the request's id, and what the wait was (milliseconds)."""
    if x.degraded:
        return b"x-tidegate-degraded: %b\r\n" % x.degraded.encode() + _usual_fields(x)
    return _usual_fields(x)


def _usual_fields(x: Exchange) -> bytes:
    waited, cold = x.dispatched - x.arrived, x.cold_wait
    if not x.dispatched:
        waited = x.ended - x.arrived
        cold = waited if x.service is not None and not x.service.flow.endpoints else 0.0
    if waited < AT_ONCE:
        return b"x-request-id: %b\r\nserver-timing: queue;dur=0.0, coldstart;dur=0.0\r\n" % x.id
    form = b"x-request-id: %b\r\nserver-timing: queue;dur=%.1f, coldstart;dur=%.1f\r\n"
    return form % (x.id, (waited - cold) * 1e3, cold * 1e3)


def refusal(exchange: Exchange, error: ApiError, *, close: bool) -> bytes:
    """A whole answer that says ``error``; the end of one that has begun with comments."""
    if exchange.comments is not None:
        return exchange.comments.last_event(exchange, error)
    fields = (*response.retry_after(error), own_fields(exchange))
    body = error.messages_body() if _is_messages(exchange) else error.body()
    answer = response.whole(error.status, body, fields=fields, close=close)
    return response.without_body(answer) if exchange.head_only else answer


def _is_messages(x: Exchange) -> bool:
    """True where clients read errors in Anthropic's shape."""
    return b"/v1/messages" in x.target


def last_event(exchange: Exchange, error: ApiError) -> bytes:
    """The end of a stream of events that says ``error``; empty where the bytes so far leave it no place."""
    if exchange.comments is not None:
        return exchange.comments.last_event(exchange, error)
    upstream = exchange.upstream
    if not exchange.sse or upstream is None:
        return b""
    dechunked, messages = exchange.request.head.http10, _is_messages(exchange)
    return end_of_stream(upstream, error, dechunked=dechunked, messages=messages)


def end_of_stream(upstream: Upstream, error: ApiError, *, dechunked: bool, messages: bool = False) -> bytes:
    """The same for a stream of which ``upstream`` sent the beginning; ``dechunked``: without its chunks;
    ``messages``: in Anthropic's shape."""
    head = upstream.head
    if head is None or head.has_length:
        return b""
    # An event that broke off is ended by an empty line, or it would swallow this one.
    event = error.messages_event() if messages else error.event()
    if not upstream.between_events():
        event = b"\n\n" + event
    if not head.chunked or dechunked:
        return event
    return response.chunk(event) + response.LAST_CHUNK if upstream.between_chunks() else b""
