"""The queue of a service under random arrivals, ends, deaths, trials, cancellations, changes and clock steps.

The machine keeps its own books of what each request asked for and is told, and compares after every step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow import Flow
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket, Verdict
from tidegate.domain.service import ServiceConfig, ServiceKey

CONFIG = ServiceConfig(
    key=ServiceKey("n", "s"),
    created=0.0,
    served_names=("m",),
    max_concurrency=2,
    max_depth=12,
    max_bytes=100,
    wait_timeout_seconds=60,
    cold_start_timeout_seconds=180,
)
KEYS = [EndpointKey(f"w{n}", 0, "h", n) for n in range(3)] + [EndpointKey("w0", 1, "h", 0)]
AGEING = 1.0  # seconds of waiting that a step of priority is worth, as users are told
LIVE = (Stage.READING, Stage.WAITING, Stage.RUNNING)

# Eighths of a second are exact in binary, so that two places in the line compare as they do on paper.
SECONDS = st.integers(0, 64).map(lambda n: n / 8) | st.sampled_from([30.0, 60.0, 200.0, 1e6, 1e9])
PRIORITIES = st.just(0) | st.integers(-5, 5) | st.sampled_from([-100, 100])
PREFIXES = st.sampled_from([0, 1, 2**63 + 5])
SIZES = st.integers(0, 8) | st.integers(0, 120)
SELDOM = st.integers(0, 5).map(lambda n: n == 5)


@dataclass(eq=False)
class Request:
    """A waiter that remembers what it asked for, and every end that it met."""

    arrived: float
    size: int
    number: int = 0
    ends: list[str] = field(default_factory=list)

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
        self.tickets: list[tuple[Ticket, Request]] = []  # those that were admitted
        self.refused: list[Request] = []
        self.open: set[EndpointKey] = set()
        self.trials: set[EndpointKey] = set()
        self.ran: set[Ticket] = set()  # at the end of the step before

    # -- books

    def _in(self, *stages: Stage) -> list[Ticket]:
        return [ticket for ticket, _ in self.tickets if ticket.stage in stages]

    def _of(self, ticket: Ticket) -> Request:
        assert isinstance(ticket.waiter, Request)
        return ticket.waiter

    def _live(self) -> list[Request]:
        return [request for ticket, request in self.tickets if ticket.stage in LIVE]

    def _limit(self, key: EndpointKey) -> int:
        return 1 if key in self.trials else self.flow.config.max_concurrency

    def _settled(self) -> None:
        self.ran = set(self._in(Stage.RUNNING))

    # -- what happens

    @initialize(slots=st.integers(1, 3), affinity=st.booleans(), count=st.integers(0, 3))
    def begins(self, slots: int, affinity: bool, count: int) -> None:
        self.flow.configure(replace(CONFIG, max_concurrency=slots, prefix_affinity=affinity), self.now)
        self.endpoints_change(set(KEYS[:count]), set())

    @rule(asked=st.lists(st.tuples(PRIORITIES, PREFIXES), min_size=2, max_size=6), seconds=SECONDS)
    def several_arrive(self, asked: list[tuple[int, int]], seconds: float) -> None:
        for priority, prefix in asked:
            self.arrives(0, True, priority, prefix)
            self.runs_in_its_turn()
            self.now += min(seconds, 10.0)

    @rule(size=SIZES, read=st.booleans(), priority=PRIORITIES, prefix=PREFIXES)
    def arrives(self, size: int, read: bool, priority: int, prefix: int) -> None:
        self._settled()
        config, live = self.flow.config, self._live()
        request = Request(self.now, size, len(self.tickets))
        ticket = Ticket(request, size, priority)
        ticket.prefix = prefix
        full = len(live) + 1 > config.max_depth or sum(r.size for r in live) + size > config.max_bytes
        verdict = self.flow.ask(ticket, self.now, body_read=read)
        assert isinstance(verdict, ApiError) == (config.suspended or full)
        if isinstance(verdict, ApiError):
            request.ends.append(verdict.code)
            self.refused.append(request)
            assert ticket.stage is Stage.NEW
            assert self.flow.done(ticket, self.now) == []
        else:
            self.tickets.append((ticket, request))
            assert ticket.depth == len(live) + 1
            self._fits(ticket, verdict)

    def _fits(self, ticket: Ticket, verdict: Verdict) -> None:
        """What it was told is what it is; and where its prefix decided, the load was bounded."""
        assert (verdict is WAIT) == (ticket.stage is not Stage.RUNNING)
        if not (isinstance(verdict, Endpoint) and ticket.prefix and self.flow.config.prefix_affinity):
            return
        total = sum(endpoint.in_flight for endpoint in self.flow.endpoints)
        for other in self.flow.endpoints:
            room = other.in_flight < self._limit(other.key)
            if room and other is not verdict and other.in_flight < 1.25 * total / len(self.open):
                assert verdict.in_flight - 1 < 1.25 * total / len(self.open)

    @precondition(lambda self: self._in(Stage.READING))
    @rule(data=st.data(), more=SIZES)
    def body_grows(self, data: st.DataObject, more: int) -> None:
        self._settled()
        ticket = data.draw(st.sampled_from(self._in(Stage.READING)))
        if self.flow.grow(ticket, more, self.now) is None:
            self._of(ticket).size += more

    @precondition(lambda self: self._in(Stage.READING))
    @rule(data=st.data(), priority=st.none() | PRIORITIES)
    def body_is_read(self, data: st.DataObject, priority: int | None) -> None:
        """It may tell another priority than the header did."""
        self._settled()
        ticket = data.draw(st.sampled_from(self._in(Stage.READING)))
        ticket.priority = ticket.priority if priority is None else priority
        verdict = self.flow.body_read(ticket, self.now)
        if isinstance(verdict, ApiError):
            ticket.waiter.evicted(verdict)
        else:
            self._fits(ticket, verdict)

    @precondition(lambda self: self._in(*LIVE))
    @rule(data=st.data(), twice=st.booleans())
    def ends_or_leaves(self, data: st.DataObject, twice: bool) -> None:
        """The answer is whole, or the client has gone, at any stage."""
        self._settled()
        ticket = data.draw(st.sampled_from(self._in(*LIVE)))
        self._told(self.flow.done(ticket, self.now))
        self._of(ticket).ends.append("done")
        if twice:
            assert self.flow.done(ticket, self.now) == []

    @precondition(lambda self: self._in(Stage.RUNNING))
    @rule(data=st.data())
    def worker_fails(self, data: st.DataObject) -> None:
        self._comes_back(data.draw(st.sampled_from(self._in(Stage.RUNNING))))

    def _comes_back(self, ticket: Ticket) -> None:
        self._settled()
        self.ran.discard(ticket)
        self._told(self.flow.give_back(ticket, self.now))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def worker_dies(self, data: st.DataObject) -> None:
        """It takes nothing more, and each of its requests comes back."""
        key = data.draw(st.sampled_from(sorted(self.open, key=str)))
        self.endpoints_change(self.open - {key}, self.trials - {key})
        for ticket in self._in(Stage.RUNNING):
            if ticket.endpoint is not None and ticket.endpoint.key == key:
                self._comes_back(ticket)
                self.runs_in_its_turn()

    @rule(keys=st.sets(st.sampled_from(KEYS)), trials=st.sets(st.sampled_from(KEYS)))
    def endpoints_change(self, keys: set[EndpointKey], trials: set[EndpointKey]) -> None:
        self._settled()
        self.open, self.trials = set(keys), set(trials)
        self._told(self.flow.set_endpoints(sorted(keys, key=str), self.now, frozenset(trials)))

    @rule(depth=st.integers(1, 12), slots=st.integers(1, 4), suspended=SELDOM, affinity=st.booleans())
    def spec_changes(self, depth: int, slots: int, suspended: bool, affinity: bool) -> None:
        self._settled()
        changed = replace(
            CONFIG, max_depth=depth, max_concurrency=slots, suspended=suspended, prefix_affinity=affinity
        )
        self._told(self.flow.configure(changed, self.now))

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self._settled()
        self.now += seconds
        for ticket, error in self.flow.expired(self.now):
            ticket.waiter.evicted(error)
        rest = self.flow.next_expiry(self.now)
        assert rest is None or rest > 0

    @rule(really=SELDOM)
    def everyone_is_sent_away(self, really: bool) -> None:
        self._settled()
        for ticket in self.flow.evict_all(self.now) if really else []:
            self._of(ticket).ends.append("removed")

    def _told(self, granted: list[Ticket]) -> None:
        """Exactly those that began to run are told so, once each, in their order."""
        assert set(granted) == set(self._in(Stage.RUNNING)) - self.ran
        assert len(granted) == len(set(granted))
        assert granted == sorted(granted, key=self._place)

    def _place(self, ticket: Ticket) -> tuple[float, int]:
        request = self._of(ticket)
        return request.arrived + AGEING * ticket.priority, request.number

    def teardown(self) -> None:
        """When all have left, nothing is held, on no endpoint."""
        for ticket in self._in(*LIVE):
            self.flow.done(ticket, self.now)
            self._of(ticket).ends.append("done")
        flow = self.flow
        flow.set_endpoints(KEYS, self.now)
        held = (flow.depth, flow.bytes_held, flow.reading, flow.waiting, flow.in_flight)
        assert held == (0, 0, 0, 0, 0)
        assert all(endpoint.in_flight == 0 for endpoint in flow.endpoints)
        assert all(len(r.ends) == 1 for r in [*self.refused, *(request for _, request in self.tickets)])

    # -- what always holds

    @invariant()
    def runs_in_its_turn(self) -> None:
        """Who still waits was overtaken by nobody of its own priority that came later, and by others only
        within the bound: a step of priority is worth AGEING seconds."""
        for ran in set(self._in(Stage.RUNNING)) - self.ran:
            for waits in self._in(Stage.WAITING):
                later = self._of(ran).arrived - self._of(waits).arrived
                assert later <= AGEING * (waits.priority - ran.priority)
                if ran.priority == waits.priority:
                    assert self._of(ran).number < self._of(waits).number

    @invariant()
    def counts_are_those_of_the_requests(self) -> None:
        flow = self.flow
        assert flow.reading == len(self._in(Stage.READING))
        assert flow.waiting == len(self._in(Stage.WAITING))
        assert flow.in_flight == len(self._in(Stage.RUNNING))
        assert flow.depth == len(self._live()) <= CONFIG.max_depth
        assert flow.bytes_held == sum(request.size for request in self._live()) <= CONFIG.max_bytes

    @invariant()
    def no_slot_leaks(self) -> None:
        """Those that run there from before it went and came back count too."""
        running = self._in(Stage.RUNNING)
        assert {endpoint.key for endpoint in self.flow.endpoints} == self.open
        for endpoint in self.flow.endpoints:
            on_it = [t for t in running if t.endpoint is not None and t.endpoint.key == endpoint.key]
            assert endpoint.in_flight == len(on_it)

    @invariant()
    def nothing_begins_beyond_an_endpoints_limit_or_on_one_that_is_gone(self) -> None:
        for ticket in set(self._in(Stage.RUNNING)) - self.ran:
            assert ticket.endpoint is not None
            assert ticket.endpoint.key in self.open
            assert ticket.endpoint.in_flight <= self._limit(ticket.endpoint.key)

    @invariant()
    def no_waiter_sleeps_beside_a_free_slot(self) -> None:
        free = [e for e in self.flow.endpoints if e.in_flight < self._limit(e.key)]
        assert not (free and self.flow.waiting)

    @invariant()
    def each_request_has_one_end_at_most_and_an_ended_ticket_exactly_one(self) -> None:
        for ticket, request in self.tickets:
            assert len(request.ends) == (ticket.stage is Stage.ENDED)


FlowMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestFlow = FlowMachine.TestCase
