"""The queue of a service under random arrivals, ends, deaths, cancellations, changes and clock steps."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow import Flow
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket
from tidegate.domain.service import ServiceConfig, ServiceKey

CONFIG = ServiceConfig(
    key=ServiceKey("n", "s"),
    created=0.0,
    served_names=("m",),
    max_concurrency=2,
    max_depth=6,
    max_bytes=100,
    wait_timeout_seconds=10,
    cold_start_timeout_seconds=30,
)
KEYS = [EndpointKey(f"w{n}", 0, "h", n) for n in range(3)]


class Request:
    """A waiter that remembers everything it is told."""

    def __init__(self) -> None:
        self.ticket: Ticket | None = None
        self.ends: list[str] = []

    def granted(self, endpoint: Endpoint) -> None:
        """The flow tells nothing by itself; the machine below does."""

    def evicted(self, error: ApiError) -> None:
        self.ends.append(error.code)

    def admitted(self) -> None:
        raise AssertionError("the answer to ask said so")


class FlowMachine(RuleBasedStateMachine):
    """What the gateway does with a flow, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.flow = Flow(CONFIG, self.now)
        self.requests: list[Request] = []
        self.most = 0

    def _in(self, *stages: Stage) -> list[Ticket]:
        tickets = [r.ticket for r in self.requests if r.ticket is not None]
        return [ticket for ticket in tickets if ticket.stage in stages]

    @rule(size=st.integers(0, 60), read=st.booleans())
    def arrives(self, size: int, read: bool) -> None:
        request = Request()
        ticket = Ticket(request, size)
        verdict = self.flow.ask(ticket, self.now, body_read=read)
        if isinstance(verdict, ApiError):
            request.ends.append(verdict.code)
            assert ticket.stage is Stage.NEW
        else:
            request.ticket = ticket
        self.requests.append(request)

    @precondition(lambda self: self._in(Stage.READING))
    @rule(data=st.data(), more=st.integers(0, 60))
    def body_grows(self, data: st.DataObject, more: int) -> None:
        self.flow.grow(data.draw(st.sampled_from(self._in(Stage.READING))), more, self.now)

    @precondition(lambda self: self._in(Stage.READING))
    @rule(data=st.data())
    def body_is_read(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self._in(Stage.READING)))
        verdict = self.flow.body_read(ticket, self.now)
        if isinstance(verdict, ApiError):
            ticket.waiter.evicted(verdict)
        else:
            assert (ticket.stage is Stage.WAITING) == (verdict is WAIT)

    @precondition(lambda self: self._in(Stage.READING, Stage.WAITING, Stage.RUNNING))
    @rule(data=st.data(), twice=st.booleans())
    def ends_or_leaves(self, data: st.DataObject, twice: bool) -> None:
        """The answer is whole, or the client has gone, at any stage."""
        ticket = data.draw(st.sampled_from(self._in(Stage.READING, Stage.WAITING, Stage.RUNNING)))
        self.flow.done(ticket, self.now)
        if twice:
            assert self.flow.done(ticket, self.now) == []
        request = ticket.waiter
        assert isinstance(request, Request)
        request.ends.append("done")

    @precondition(lambda self: self._in(Stage.RUNNING))
    @rule(data=st.data())
    def worker_fails(self, data: st.DataObject) -> None:
        self.flow.give_back(data.draw(st.sampled_from(self._in(Stage.RUNNING))))

    @rule(keys=st.sets(st.sampled_from(KEYS)))
    def endpoints_change(self, keys: set[EndpointKey]) -> None:
        self.flow.set_endpoints(sorted(keys, key=lambda k: k.uid), self.now)

    @rule(depth=st.integers(1, 6), slots=st.integers(1, 3), suspended=st.booleans())
    def spec_changes(self, depth: int, slots: int, suspended: bool) -> None:
        changed = replace(CONFIG, max_depth=depth, max_concurrency=slots, suspended=suspended)
        self.flow.configure(changed)

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for ticket, error in self.flow.expired(self.now):
            ticket.waiter.evicted(error)
        rest = self.flow.next_expiry(self.now)
        assert rest is None or rest > 0

    @rule()
    def everyone_is_sent_away(self) -> None:
        for ticket in self.flow.evict_all(self.now):
            request = ticket.waiter
            assert isinstance(request, Request)
            request.ends.append("removed")

    @invariant()
    def counts_are_those_of_the_tickets(self) -> None:
        flow = self.flow
        assert flow.reading == len(self._in(Stage.READING))
        assert flow.waiting == len(self._in(Stage.WAITING))
        assert flow.in_flight == len(self._in(Stage.RUNNING))
        held = self._in(Stage.READING, Stage.WAITING, Stage.RUNNING)
        assert flow.bytes_held == sum(ticket.bytes for ticket in held)

    @invariant()
    def no_slot_leaks(self) -> None:
        running = self._in(Stage.RUNNING)
        for endpoint in self.flow.endpoints:
            on_it = (t for t in running if t.endpoint is not None and t.endpoint.key == endpoint.key)
            assert endpoint.in_flight == sum(1 for _ in on_it)  # those from before it went and came back too

    @invariant()
    def depth_and_bytes_stay_within_the_limits(self) -> None:
        """Limits may be lowered below what is held; they are never passed by an arrival."""
        assert self.flow.depth <= CONFIG.max_depth
        assert self.flow.bytes_held <= CONFIG.max_bytes

    @invariant()
    def no_waiter_sleeps_beside_a_free_slot(self) -> None:
        free = [e for e in self.flow.endpoints if e.in_flight < self.flow.config.max_concurrency]
        assert not (free and self.flow.waiting)

    @invariant()
    def each_request_has_one_end_at_most_and_an_ended_ticket_exactly_one(self) -> None:
        for request in self.requests:
            ended = request.ticket is None or request.ticket.stage is Stage.ENDED
            assert len(request.ends) == (1 if ended else 0)


FlowMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestFlow = FlowMachine.TestCase
