"""What a client reads when its request does not end as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain.api_errors import ApiError
from tidegate.gateway import account, response

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange


def own_fields(exchange: Exchange) -> bytes:
    """The gateway's own lines in each answer: the request's id, and what the wait was (milliseconds)."""
    waited, cold = account.waited(exchange)
    return b"x-request-id: %b\r\nserver-timing: queue;dur=%.1f, coldstart;dur=%.1f\r\n" % (
        exchange.id,
        (waited - cold) * 1e3,
        cold * 1e3,
    )


def refusal(exchange: Exchange, error: ApiError, *, close: bool) -> bytes:
    """A whole answer that says ``error``."""
    fields = (*response.retry_after(error), own_fields(exchange))
    answer = response.whole(error.status, error.body(), fields=fields, close=close)
    return response.without_body(answer) if exchange.head_only else answer


def last_event(exchange: Exchange, error: ApiError) -> bytes:
    """The end of a stream of events that says ``error``; empty where the bytes so far leave it no place."""
    upstream = exchange.upstream
    if not exchange.sse or upstream is None:
        return b""
    if not upstream.chunked or exchange.request.http10:
        return error.event()
    return response.chunk(error.event()) + response.LAST_CHUNK if upstream.between_chunks() else b""
