"""A request's way to a worker: what counts as a try, when it is sent again, how long a worker may be silent.

::

    granted ── connect ──▶ sent ──▶ answer begun
        ▲         │          │           │
        │      no try        │        died: the answer is cut short, never sent again
        └──── give back ◀────┴ failed: a try; the last one is the client's 502
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.domain import api_errors as errors
from tidegate.gateway.connection import NEVER

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange
    from tidegate.gateway.pool import Pool
    from tidegate.gateway.service import Service

# A worker that closed an idle connection before it saw the request on it says so within a round trip.
# Where the word comes later, the worker has had the request, and its end is a failure.
CLOSED_UNUSED_SECONDS: Final = 1.0


def use(x: Exchange, pool: Pool) -> None:
    """Sends the request on a connection of ``pool``: an idle one, or one that has to be made first."""
    upstream = pool.take()
    if upstream is None:
        x.traffic.spawn(_connect(x, pool))
    else:
        x.send(pool, upstream)


async def _connect(x: Exchange, pool: Pool) -> None:
    tries = x.tries
    try:
        upstream = await pool.connect()
    except (OSError, TimeoutError, ValueError) as error:  # ValueError: a host that is none
        if x.outcome is None and x.tries == tries:
            _not_connected(x, f"cannot connect: {error or 'no answer in time'}")
        return
    if x.outcome is None and x.tries == tries:
        x.send(pool, upstream)
    else:
        pool.release(upstream)  # the client left meanwhile


def _not_connected(x: Exchange, reason: str) -> None:
    """Nothing was sent, so it is no try. The endpoint is out until a probe answers, and each time for longer
    where that was not the truth: the request meets every endpoint once, and then waits within its budget."""
    service, ticket = x.service, x.ticket
    if service is None or ticket is None or ticket.endpoint is None:
        return
    x.tries -= 1
    service.endpoint_failed(ticket.endpoint.key, x.dispatched, reason)
    _give_back(x)


def answered(x: Exchange, service: Service, status: int) -> None:
    """An answer has begun: to be told of errors, and of every answer while an endpoint is not well."""
    if x.ticket is not None and x.ticket.endpoint is not None:
        service.endpoint_answered(x.ticket.endpoint.key, status, x.dispatched)


def failed(x: Exchange, reason: str, *, unused: bool) -> None:
    """The worker had the request and failed, or closed the connection ``unused``; see Receiver."""
    service, ticket = x.service, x.ticket
    if x.outcome is not None or service is None or ticket is None or ticket.endpoint is None:
        return
    again = service.config.retry_unstarted
    if not x.answered:
        x.upstream = None
        if unused and again and x.traffic.time() - x.dispatched < CLOSED_UNUSED_SECONDS:
            use(x, service.pool(ticket.endpoint))
            return
    service.endpoint_failed(ticket.endpoint.key, x.dispatched, reason)
    if service.leaves(ticket.endpoint.key):
        x.tries -= 1  # its end was asked for: nothing is wrong with the request, nor with the next worker
    if x.answered:
        x.cut_short(errors.worker_died(service.key, reason))
    elif again and x.tries < x.traffic.settings.max_tries:
        _give_back(x)
    else:
        x.refuse(errors.worker_failed(service.key, x.tries, reason))


def drains(x: Exchange) -> None:
    """The worker took nothing, because it is about to stop: back into the queue, and it costs no try."""
    service, ticket = x.service, x.ticket
    x.upstream = None
    if service is None or ticket is None or ticket.endpoint is None:
        return
    x.tries -= 1
    service.endpoint_drains(ticket.endpoint.key)
    _give_back(x)


def _give_back(x: Exchange) -> None:
    if x.service is not None and x.ticket is not None and x.outcome is None:
        x.connection.deadline = NEVER
        x.dispatched = 0.0  # it waits again
        x.service.arbiter.give_back(x.ticket)


def overdue(x: Exchange, now: float) -> None:
    """Ends a try whose worker is silent for too long. The sweep asks this of each request a few times a
    second, so that no request and no piece of an answer has a timer; a limit is late by that much."""
    upstream, settings = x.upstream, x.traffic.settings
    if upstream is None:
        return
    if not x.answered:
        limit = settings.first_byte_timeout
        if limit and now - x.dispatched >= limit:
            upstream.close()
            failed(x, f"no answer began within {limit:g} s", unused=False)
    elif x.first_byte:
        limit = settings.silence_timeout
        if limit and now - upstream.heard(now) >= limit:
            failed(x, f"nothing came for {limit:g} s in the middle of the answer", unused=False)
