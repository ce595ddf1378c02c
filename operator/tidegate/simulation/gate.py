"""The gateway's queue of one service, the real one, with simulated requests and workers."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow import Flow
from tidegate.domain.flow_ticket import WAIT, Endpoint, Stage, Ticket
from tidegate.domain.outcome import Outcome
from tidegate.domain.scaling import Load
from tidegate.domain.service import ServiceConfig
from tidegate.simulation.fleet import Fleet
from tidegate.simulation.ledger import Ledger
from tidegate.simulation.loop import Loop


class Gate:
    """Admits, holds, hands out and ends requests. ``changed`` is called when the demand is another one."""

    def __init__(
        self, config: ServiceConfig, loop: Loop, fleet: Fleet, ledger: Ledger, changed: Callable[[], None]
    ) -> None:
        self.flow = Flow(config, loop.now)
        self.cold_starts = 0
        self.loop, self.fleet, self.ledger = loop, fleet, ledger
        self._changed = changed
        self._last_activity: float | None = None
        self._depth = 0
        self._since = loop.now
        self._depth_seconds = 0.0
        self.slowest = fleet.engine.stretch(fleet.engine.slots)  # times as long as alone
        self._expiry_due = False
        self._turn = 0

    def arrive(self, work: float) -> None:
        """A request comes that runs ``work`` seconds when it is alone."""
        flow, now = self.flow, self.loop.now
        if not flow.endpoints and not flow.waiting:
            self.cold_starts += 1
        visit = Visit(self, work)
        verdict = flow.ask(visit.ticket, now, body_read=True)
        if verdict is WAIT:
            self._watch_budgets()
        elif isinstance(verdict, Endpoint):
            visit.granted(verdict)
        elif isinstance(verdict, ApiError):
            self.ledger.refused(now, now, verdict.outcome)
        self._moved()

    def take_workers(self) -> None:
        """Those that are ready take requests, and only those."""
        keys = [worker.key for worker in self.fleet.ready]
        _begin(self.flow.set_endpoints(keys, self.loop.now))
        self._watch_budgets(anew=True)

    def ended(self, ticket: Ticket, endpoint: Endpoint, outcome: Outcome) -> None:
        """A request's answer is complete, or its time is over; its slot is somebody else's."""
        self.ledger.ran(ticket.arrived, ticket.started, outcome)
        _begin(self.flow.done(ticket, self.loop.now))
        if not endpoint.in_flight:
            self.fleet.idle(endpoint)
        self._moved()

    def load(self) -> Load:
        """What is told to the operator."""
        flow = self.flow
        seconds, leaving = flow.execution.seconds or None, flow.leaving
        return Load(
            flow.waiting, flow.in_flight, self._last_activity, execution_seconds=seconds, leaving=leaving
        )

    def depth_seconds(self) -> float:
        """The integral of the depth over time up to now."""
        return self._depth_seconds + self._depth * (self.loop.now - self._since)

    def _moved(self) -> None:
        self._depth_seconds = self.depth_seconds()
        self._depth, self._since = self.flow.depth, self.loop.now
        self._last_activity = self.loop.now
        self._changed()

    def _watch_budgets(self, *, anew: bool = False) -> None:
        """Who has waited too long is told so at that moment; another budget runs once a worker is ready."""
        if not self.flow.waiting or (self._expiry_due and not anew):
            return
        rest = self.flow.next_expiry(self.loop.now)
        if rest is not None:
            self._expiry_due, self._turn = True, self._turn + 1
            turn = self._turn
            self.loop.at(self.loop.now + max(rest, 0.001), lambda: self._expire(turn))

    def _expire(self, turn: int) -> None:
        if turn != self._turn:
            return
        self._expiry_due = False
        late = self.flow.expired(self.loop.now)
        for ticket, error in late:
            self.ledger.refused(ticket.arrived, self.loop.now, error.outcome)
        if late:
            self._moved()
        self._watch_budgets()


class Visit:
    """One request on its way."""

    __slots__ = ("_batch", "_endpoint", "_gate", "_run", "_work", "ticket")

    def __init__(self, gate: Gate, work: float) -> None:
        self.ticket = Ticket(self)
        self._gate, self._work = gate, work

    def granted(self, endpoint: Endpoint) -> None:
        """It runs now."""
        gate = self._gate
        self._endpoint, self._batch = endpoint, gate.fleet.worker(endpoint).batch
        self._run = self._batch.begin(self._work, self._completed)
        limit = gate.flow.config.execution_timeout_seconds
        if self._work * gate.slowest > limit:
            gate.loop.at(gate.loop.now + limit, self._time_is_over)

    def evicted(self, error: ApiError) -> None:
        """See Waiter; a queue of one gateway tells evictions by what ``expired`` returns."""

    def admitted(self) -> None:
        """See Waiter; only a remote arbiter says so."""

    def _completed(self) -> None:
        self._gate.ended(self.ticket, self._endpoint, Outcome.COMPLETED)

    def _time_is_over(self) -> None:
        if self.ticket.stage is Stage.RUNNING:
            self._batch.abort(self._run)
            self._gate.ended(self.ticket, self._endpoint, Outcome.EXECUTION_TIMEOUT)


def _begin(granted: list[Ticket]) -> None:
    for ticket in granted:
        if ticket.endpoint is not None:
            ticket.waiter.granted(ticket.endpoint)
