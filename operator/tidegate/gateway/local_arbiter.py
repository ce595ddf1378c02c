"""The arbiter where there is one gateway: a function call over the pure flow, and one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow import Flow
from tidegate.domain.flow_ticket import WAIT, EndpointKey, Ticket, Verdict
from tidegate.domain.service import ServiceConfig


class LocalArbiter:
    """Delivers the flow's decisions. ``waiting`` is called whenever a ticket has to wait."""

    def __init__(
        self,
        config: ServiceConfig,
        time: Callable[[], float],
        waiting: Callable[[], None],
        flow: Flow | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._time = time
        self.flow = flow or Flow(config, time())
        self._waiting = waiting
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, ticket: Ticket, *, body_read: bool) -> Verdict:
        """See Arbiter."""
        verdict = self.flow.ask(ticket, self._time(), body_read=body_read)
        if verdict is WAIT and body_read:
            self._must_wait()
        return verdict

    def grow(self, ticket: Ticket, more: int) -> ApiError | None:
        """See Arbiter."""
        return self.flow.grow(ticket, more, self._time())

    def body_read(self, ticket: Ticket) -> Verdict:
        """See Arbiter."""
        verdict = self.flow.body_read(ticket, self._time())
        if verdict is WAIT:
            self._must_wait()
        return verdict

    def give_back(self, ticket: Ticket) -> None:
        """See Arbiter."""
        self._grant(self.flow.give_back(ticket, self._time()))
        if self.flow.config.suspended:
            self.evict_all(errors.removed(self.flow.config.key))
        elif self.flow.waiting:
            self._must_wait()

    def done(self, ticket: Ticket) -> None:
        """See Arbiter."""
        granted = self.flow.done(ticket, self._time())
        if granted:
            self._grant(granted)

    def set_endpoints(self, keys: Iterable[EndpointKey], on_trial: Collection[EndpointKey] = ()) -> None:
        """Exactly these endpoints take work from now on, those in ``on_trial`` one request at a time."""
        self._grant(self.flow.set_endpoints(keys, self._time(), on_trial))
        self._set_timer()

    def configure(self, config: ServiceConfig) -> None:
        """A new spec; where it suspends the service, what waits is refused."""
        self._grant(self.flow.configure(config, self._time()))
        if config.suspended:
            self.evict_all(errors.removed(config.key))
        self._set_timer()

    def evict_all(self, error: ApiError) -> None:
        """Refuses everything that waits."""
        for ticket in self.flow.evict_all(self._time()):
            ticket.waiter.evicted(error)

    def close(self) -> None:
        """No timer stays behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _grant(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            if ticket.endpoint is not None:  # not ended by the one before it
                ticket.waiter.granted(ticket.endpoint)

    def _must_wait(self) -> None:
        if self._timer is None:
            self._set_timer()
        self._waiting()

    def _set_timer(self) -> None:
        self.close()
        rest = self.flow.next_expiry(self._time())
        if rest is not None:
            self._timer = self._loop.call_later(max(rest, 0.0) + 0.001, self._expire)

    def _expire(self) -> None:
        self._timer = None
        for ticket, error in self.flow.expired(self._time()):
            ticket.waiter.evicted(error)
        self._set_timer()
