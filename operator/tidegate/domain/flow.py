"""The admission and the queue of one service: a state machine without clock, sockets or metrics.

A ticket is one request. It is READING (admitted, body on its way), WAITING, RUNNING on an endpoint,
or ENDED. Depth counts the first three. After every call this holds: if a ticket is WAITING, no
endpoint that takes work has a free slot.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Final

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_clock import BudgetClock
from tidegate.domain.flow_endpoints import Endpoints
from tidegate.domain.flow_line import Line
from tidegate.domain.flow_rate import DrainRate, ExecutionTime, clamp, retry_after
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket, Verdict
from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceConfig

_NEW: Final = Stage.NEW
_ASKED: Final = Stage.ASKED
_READING: Final = Stage.READING
_WAITING: Final = Stage.WAITING
_RUNNING: Final = Stage.RUNNING
_ENDED: Final = Stage.ENDED


class Flow:
    """Admission (depth and bytes); the order is Line's, the choice Endpoints'."""

    def __init__(self, config: ServiceConfig, now: float) -> None:
        self.config = config
        self.clock = BudgetClock(now)
        self.rate = DrainRate()
        self.execution = ExecutionTime()
        self.depth = 0  # waiting and in flight, those whose body is still on its way included
        self.reading = self.waiting = self.in_flight = self.bytes_held = 0
        self.frozen = False  # True: nothing runs that does not run yet; see SharedFlow
        self.last_cold_start: float | None = None  # seconds that the latest one took
        self.wake_refusal: str | None = None  # why the latest wake failed
        self.wake_not_before = 0.0  # nobody may be woken before this time
        self.hold_up = ""  # why the worker that was woken is not ready, where that is known
        self.next_start = 0.0  # when it is started again; 0: that is not known
        self._said: ApiError | None = None  # the latest overload, while the spec holds
        self._said_depth = 0
        self._endpoints = Endpoints(config)
        self._line = Line()
        self._arrivals = 0

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those that take work."""
        return self._endpoints.open

    @property
    def leaving(self) -> int:
        """Of those in flight: on endpoints that take no more work."""
        return self.in_flight - sum(endpoint.in_flight for endpoint in self._endpoints.open)

    def retry_after(self, now: float) -> int:
        """Seconds after which a refused client should try again."""
        fixed = self.config.retry_after_seconds
        return retry_after(self.depth, self.rate.per_second(now)) if fixed is None else fixed

    def ask(self, ticket: Ticket, now: float, *, body_read: bool) -> Verdict:
        """Admits the ticket and gives it an endpoint or a place in the line, or says why not."""
        config, held, depth = self.config, self.bytes_held + ticket.bytes, self.depth + 1
        if config.suspended or depth > config.max_depth or held > config.max_bytes:
            return self._refusal(ticket.bytes, now)
        self.depth = ticket.depth = depth
        self._arrivals = ticket.sequence = self._arrivals + 1
        ticket.arrived = now
        ticket.warm, ticket.cold = self.clock.both(now)
        self.bytes_held = held
        if body_read:
            return self._place(ticket, now)
        self.reading += 1
        ticket.stage = _READING
        return WAIT

    def _refusal(self, size: int, now: float) -> ApiError:
        config = self.config
        if config.suspended:
            return errors.suspended(config.key)
        if size > config.max_bytes:
            return errors.too_large(size, config.max_bytes)
        if self.depth >= config.max_depth:
            return self._overload(now)
        return errors.bytes_overload(config.key, config.max_bytes, self.retry_after(now))

    def _overload(self, now: float) -> ApiError:
        """The same object as long as it says the same, so that a flood of refusals costs little."""
        said, after = self._said, self.retry_after(now)
        if said is None or said.retry_after != after or self._said_depth != self.depth:
            config = self.config
            said = errors.overload(config.key, self.depth + 1, config.max_depth, after)
            self._said, self._said_depth = said, self.depth
        return said

    def grow(self, ticket: Ticket, more: int, now: float) -> ApiError | None:
        """Counts ``more`` bytes of a body that is being read; an ApiError leaves the ticket as it was."""
        limit = self.config.max_bytes
        if ticket.bytes + more > limit:
            return errors.too_large(ticket.bytes + more, limit, Outcome.EVICTED_BODY)
        if self.bytes_held + more > limit:
            return errors.bytes_overload(self.config.key, limit, self.retry_after(now))
        ticket.bytes += more
        self.bytes_held += more
        return None

    def body_read(self, ticket: Ticket, now: float) -> Verdict:
        """A READING ticket is complete: an endpoint, or a place in the line."""
        if self.config.suspended:
            self.done(ticket, now)
            return errors.removed(self.config.key)
        self.reading -= 1
        return self._place(ticket, now)

    def _place(self, ticket: Ticket, now: float) -> Verdict:
        endpoint = None if self.waiting or self.frozen else self._endpoints.free(ticket.prefix)
        if endpoint is None:
            self._line_up(ticket)
            return WAIT
        self._run(ticket, endpoint, now)
        return endpoint

    def give_back(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A RUNNING ticket's endpoint failed: it waits again, at its old place in the line, and with what was
        left of its budgets when it left it.

        The tickets that run now because of it; the given one may be among them.
        """
        self._leave_endpoint(ticket)
        ran = now - ticket.started
        cold = min(ran, self.clock.cold(now) - ticket.cold - ticket.cold_wait)  # without a worker ready
        ticket.cold += cold
        ticket.warm += ran - cold
        self._line_up(ticket)
        return self._dispatch(now)

    def _line_up(self, ticket: Ticket) -> None:
        self.waiting += 1
        ticket.stage = _WAITING
        self._line.push(ticket)

    def _run(self, ticket: Ticket, endpoint: Endpoint, now: float) -> None:
        ticket.stage, ticket.endpoint = _RUNNING, endpoint
        ticket.started = now
        ticket.cold_wait = self.clock.cold_total - ticket.cold
        endpoint.in_flight += 1
        self.in_flight += 1

    def _leave_endpoint(self, ticket: Ticket) -> Endpoint | None:
        endpoint, ticket.endpoint = ticket.endpoint, None
        if endpoint is not None:
            endpoint.in_flight -= 1
            self.in_flight -= 1
            if not endpoint.limit:
                self._endpoints.left(endpoint)
        return endpoint

    def done(self, ticket: Ticket, now: float) -> list[Ticket]:
        """The request ended; the tickets that run now because of it. Nothing changes where it was never
        admitted, or this was said before."""
        stage, ticket.stage = ticket.stage, _ENDED
        if stage is _ENDED or stage is _NEW or stage is _ASKED:
            self._drop(ticket)
            return []
        self.depth -= 1
        self.bytes_held -= ticket.bytes
        if stage is _RUNNING:
            endpoint = self._leave_endpoint(ticket)
            self.rate.ended(now)
            self.execution.ended(now - ticket.started)
            return self._hand_on(endpoint, now) if self.waiting else []
        if stage is _WAITING:
            self.waiting -= 1
            self._line.forget_ended(self.waiting)
        else:
            self.reading -= 1
        return []

    def _hand_on(self, endpoint: Endpoint | None, now: float) -> list[Ticket]:
        """Somebody waits, so no slot was free but the one that was just left: who gets it."""
        if endpoint is None or endpoint.in_flight >= endpoint.limit:
            return []
        return [self._grant(endpoint, now)]

    def _grant(self, endpoint: Endpoint, now: float) -> Ticket:
        ticket = self._line.pop()
        self.waiting -= 1
        self._run(ticket, endpoint, now)
        return ticket

    def _drop(self, ticket: Ticket) -> None:
        """A ticket ends that has no place in the queue; see SharedFlow."""

    def _dispatch(self, now: float) -> list[Ticket]:
        """Gives all free slots to those whose turn it is; those that got one."""
        granted: list[Ticket] = []
        while self.waiting:
            endpoint = self._endpoints.free(self._line.first().prefix)
            if endpoint is None:
                break
            granted.append(self._grant(endpoint, now))
        return granted

    def set_endpoints(
        self, keys: Iterable[EndpointKey], now: float, on_trial: Collection[EndpointKey] = ()
    ) -> list[Ticket]:
        """Exactly these take work from now on; the tickets that run now because of it.

        Those of them that are in ``on_trial`` get at most one request at a time. Requests on an endpoint
        that is gone from the list are left to end by themselves; they still count where it comes back
        before that.
        """
        self._endpoints.replace(keys, on_trial)
        self.clock.turn(bool(self._endpoints.open), now)
        return self._dispatch(now)

    def configure(self, config: ServiceConfig, now: float) -> list[Ticket]:
        """A new spec; what was admitted stays admitted. The tickets that run now because of it."""
        self.config, self._said = config, None
        self._endpoints.configure(config)
        return self._dispatch(now)

    def expired(self, now: float) -> list[tuple[Ticket, ApiError]]:
        """Ends the tickets whose budget is used up; each with the refusal that it gets."""
        late = [ticket for ticket in self._line.waiting() if self._rest(ticket, now) <= 0.0]
        if not late:
            return []
        error = self._queue_timeout(now) if self.clock.ready else self._cold_start_timeout(now)
        for ticket in late:
            self.done(ticket, now)
        return [(ticket, error) for ticket in late]

    def next_expiry(self, now: float) -> float | None:
        """Seconds until a waiting ticket's budget is used up if nothing changes; None: nobody waits."""
        return min((self._rest(ticket, now) for ticket in self._line.waiting()), default=None)

    def _rest(self, ticket: Ticket, now: float) -> float:
        """What is left of the budget that runs at present."""
        if self.clock.ready:
            return self.config.wait_timeout_seconds - (self.clock.warm(now) - ticket.warm)
        return self.config.cold_start_timeout_seconds - (self.clock.cold(now) - ticket.cold)

    def _queue_timeout(self, now: float) -> ApiError:
        return errors.queue_timeout(self.config.key, self.config.wait_timeout_seconds, self.retry_after(now))

    def _cold_start_timeout(self, now: float) -> ApiError:
        config, usual = self.config, self.last_cold_start
        rest = 60.0 if usual is None else usual - self.clock.cold_since(now)
        after = clamp(rest) if config.retry_after_seconds is None else config.retry_after_seconds
        not_before = max(self.wake_not_before, self.next_start)
        if not_before > now and config.retry_after_seconds is None:
            after = math.ceil(not_before - now)
        seconds, reason = config.cold_start_timeout_seconds, self.wake_refusal or self.hold_up or None
        return errors.cold_start_timeout(config.key, seconds, after, reason)

    def waker_waits(self) -> bool:
        """Whether any of those that wait may have a worker started for its sake."""
        return any(ticket.wakes for ticket in self._line.waiting())

    def evict_all(self, now: float) -> list[Ticket]:
        """Ends every ticket that has not been dispatched and waits in the line."""
        line = self._line.waiting()
        for ticket in line:
            self.done(ticket, now)
        return line
