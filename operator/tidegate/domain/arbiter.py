"""Who decides when a request of a service may run, and on which endpoint.

With one gateway the arbiter is a function call (``LocalArbiter`` in gateway/); with several it is
the same words over a standing connection: ``ask`` is answered by go, wait or reject, a request
that waits hears ``granted`` or ``evicted`` later, and each admitted request ends in one ``done``.
"""

from __future__ import annotations

from typing import Protocol

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import Ticket, Verdict


class Arbiter(Protocol):
    """The queue of one service as a request sees it."""

    def ask(self, ticket: Ticket, *, body_read: bool) -> Verdict:
        """Admits ``ticket`` and says go (an Endpoint) or WAIT; an ApiError is a refusal, and then nothing
        is held. ``body_read`` False: it counts, and gets no endpoint before ``body_read`` is called."""
        ...

    def grow(self, ticket: Ticket, more: int) -> ApiError | None:
        """``more`` bytes of a body of unknown length arrived; an ApiError where they are too many."""
        ...

    def body_read(self, ticket: Ticket) -> Verdict:
        """The whole body is there: go or WAIT."""
        ...

    def give_back(self, ticket: Ticket) -> None:
        """Its endpoint failed before it answered: the ticket waits again, at its old place in the line,
        and hears ``granted`` or ``evicted``, possibly before this returns."""
        ...

    def done(self, ticket: Ticket) -> None:
        """The request has ended, in whatever way: what it held is free. Harmless when repeated."""
        ...
