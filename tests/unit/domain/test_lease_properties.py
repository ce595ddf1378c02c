"""Several candidates, one Lease, and a network that loses, delays and repeats: never do two lead at once.

Real time passes in the test; each candidate has a clock that started elsewhere and runs up to 15 % wrong. A
request that its sender has given up may still arrive and be carried out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.lease import Election, LeaseRecord, LeaseTimes, Step

TIMES = LeaseTimes()
SECONDS = st.floats(0.0, 12.0, allow_nan=False)
SOON = st.floats(0.0, 0.3, allow_nan=False)
SELDOM = st.integers(0, 9).map(lambda n: n == 9)
DELAY = SELDOM.flatmap(lambda odd: SECONDS | st.none() if odd else SOON)  # None: it never arrives
LONG = st.sampled_from([6.0, 9.0, 12.0, 20.0])
FOUND = 8.0  # seconds until one leads: 3 of a slow clock, two reads, a write and a lost race of 0.6 s each
HOURS = st.floats(0.0, 1e5, allow_nan=False)


@dataclass
class Clock:
    offset: float
    rate: float

    def at(self, real: float) -> float:
        return self.offset + real * self.rate

    def real_seconds(self, seconds: float) -> float:
        return seconds / self.rate


@dataclass
class Server:
    """One Lease with optimistic locking; None: it does not exist."""

    record: LeaseRecord | None = None
    versions: count[int] = field(default_factory=lambda: count(1))

    def clear(self, based_on: str) -> None:
        self.write(based_on, "")

    def write(self, based_on: str, holder: str) -> LeaseRecord | None:
        if (self.record.version if self.record else "") != based_on:
            return None
        self.record = LeaseRecord(holder, str(next(self.versions)), TIMES.duration)
        return self.record


class Simulation:
    """Events in the order of real time."""

    def __init__(self, draw: Callable[[st.SearchStrategy[float | None]], float | None]) -> None:
        self.draw = draw
        self.now = 0.0
        self.server = Server()
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()
        self.candidates: list[Candidate] = []
        self.deleted_at = -60.0

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.order), do))

    def run(self, until: float) -> None:
        while self.events and self.events[0][0] <= until:
            self.now, _, do = heapq.heappop(self.events)
            do()
            leaders = [each.election.identity for each in self.candidates if each.acts()]
            assert len(leaders) <= 1, f"at {self.now:.2f} s: {leaders}"
        self.now = until

    def delete(self) -> None:
        """Somebody deletes the Lease: what is promised then, is promised where all know who holds it, and
        where that is not done again within a minute. Who was away in between sees one long absence in two."""
        known = {each.election.record.holder for each in self.candidates if each.alive}
        there = self.server.record is not None and known == {self.server.record.holder}
        if there and self.now >= self.deleted_at + 60.0:
            self.server.record, self.deleted_at = None, self.now

    def leaders(self) -> list[Candidate]:
        return [each for each in self.candidates if each.acts()]


class Candidate:
    """What runs an election: one request at a time, each with a time limit."""

    def __init__(self, simulation: Simulation, name: str, clock: Clock) -> None:
        self.simulation = simulation
        self.clock = clock
        self.election = Election(name)
        self.alive = True
        self.frozen_until = 0.0
        self.cut_until = 0.0  # nothing of it reaches the server
        self.deaf_until = 0.0  # nothing of the server reaches it
        self.waits_for = 0  # the number of the request, or of the timer, that it goes on after
        simulation.candidates.append(self)
        simulation.after(0.0, self.step)

    def now(self) -> float:
        return self.clock.at(self.simulation.now)

    def acts(self) -> bool:
        return self.alive and self.election.leads(self.now())

    def step(self) -> None:
        if not self.alive:
            return
        if self.simulation.now < self.frozen_until:
            self.simulation.after(self.frozen_until - self.simulation.now, self.step)
            return
        decision = self.election.decide(self.now())
        if decision.step is Step.LOST:
            self.election = self.election.stepped_down()
            self.step()
        elif decision.step is Step.WAIT:
            self.go_on_after(self.clock.real_seconds(decision.seconds) + 1e-6)
        else:
            self.ask(decision.step)

    def go_on_after(self, seconds: float) -> None:
        self.waits_for += 1
        turn = self.waits_for
        self.simulation.after(seconds, lambda: self.step() if turn == self.waits_for else None)

    def ask(self, step: Step) -> None:
        self.waits_for += 1
        turn, sent_at, based_on = self.waits_for, self.now(), self.election.record.version
        there, back = self.simulation.draw(DELAY), self.simulation.draw(DELAY)
        server, name = self.simulation.server, self.election.identity

        def arrives() -> None:
            answer = server.record if step is Step.READ else server.write(based_on, name)
            if back is not None and self.simulation.now >= self.deaf_until:
                self.simulation.after(back, lambda: self.answered(turn, step, answer, sent_at))

        if there is not None and self.simulation.now >= self.cut_until:
            self.simulation.after(there, arrives)
        budget = self.clock.real_seconds(self.election.budget(sent_at)) + 1e-6
        self.simulation.after(budget, lambda: self.gives_up(turn))

    def answered(self, turn: int, step: Step, answer: LeaseRecord | None, sent_at: float) -> None:
        if turn != self.waits_for or not self.alive:
            return
        if step is Step.READ:
            self.election = self.election.was_read(answer, self.now())
        elif answer is None:
            self.election = self.election.failed(self.now(), pause=0.05)
        else:
            self.election = self.election.was_written(answer, sent_at, self.now())
        self.waits_for += 1
        self.step()

    def gives_up(self, turn: int) -> None:
        if turn == self.waits_for and self.alive:
            self.election = self.election.failed(self.now(), pause=0.2)
            self.waits_for += 1
            self.step()

    def stir(self) -> None:
        """A watch says that something has changed."""
        if self.alive:
            self.election = self.election.stirred()
            self.waits_for += 1
            self.step()

    def release(self) -> None:
        """SIGTERM: it stops acting, then says so, once, and is gone."""
        acted, version = self.acts(), self.election.record.version
        self.alive = False
        delay = self.simulation.draw(DELAY)
        if acted and delay is not None:
            self.simulation.after(delay, lambda: self.simulation.server.clear(version))


CLOCKS = st.builds(Clock, HOURS, st.sampled_from([0.85, 1.0, 1.15]))
# By a clock that is 5 % slow a Lease and the look before it take 12.6 s; the renewal on its way, that look's
# answer, a lost race and a write take 0.6 s each: 15.0. By one that is 15 % slow they would take 16.5 s, and
# no clock of a node is nearly as wrong.
FAIR_CLOCKS = st.builds(Clock, HOURS, st.sampled_from([0.95, 1.0, 1.05]))


HARM = ["cut", "deaf", "freeze", "kill", "release", "stir", "delete"]


def do_harm(simulation: Simulation, victim: Candidate, harm: str, seconds: float) -> None:
    until = simulation.now + seconds
    match harm:
        case "cut":
            victim.cut_until = until
        case "deaf":
            victim.deaf_until = until
        case "freeze":
            victim.frozen_until = until
        case "kill":
            victim.alive = False
        case "release":
            victim.release()
        case "stir":
            victim.stir()
        case _:
            simulation.delete()


@settings(max_examples=300, deadline=None)
@given(st.lists(CLOCKS, min_size=2, max_size=3), st.data())
def test_never_two_lead_at_the_same_instant(clocks: list[Clock], data: st.DataObject) -> None:
    simulation = Simulation(data.draw)
    for number, clock in enumerate(clocks):
        Candidate(simulation, f"c{number}", clock)
    for _ in range(data.draw(st.integers(1, 6))):
        simulation.run(simulation.now + data.draw(SECONDS))
        victim = data.draw(st.sampled_from(simulation.leaders() or simulation.candidates))
        do_harm(simulation, victim, data.draw(st.sampled_from(HARM)), data.draw(LONG))
    simulation.run(simulation.now + 30.0)


@settings(max_examples=100, deadline=None)
@given(st.lists(FAIR_CLOCKS, min_size=2, max_size=3), st.floats(0.0, 20.0), st.data())
def test_where_answers_come_a_dead_leader_is_followed_within_15_seconds(
    clocks: list[Clock], died_after: float, data: st.DataObject
) -> None:
    simulation = Simulation(lambda _: data.draw(SOON))
    for number, clock in enumerate(clocks):
        Candidate(simulation, f"c{number}", clock)
    simulation.run(FOUND + died_after)
    (leader,) = simulation.leaders()
    leader.alive = False
    simulation.run(simulation.now + 15.0)
    assert len(simulation.leaders()) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(CLOCKS, min_size=2, max_size=3), st.floats(0.0, 20.0), st.data())
def test_where_answers_come_the_leader_stays_the_leader(
    clocks: list[Clock], seconds: float, data: st.DataObject
) -> None:
    simulation = Simulation(lambda _: data.draw(SOON))
    for number, clock in enumerate(clocks):
        Candidate(simulation, f"c{number}", clock)
    simulation.run(FOUND)
    first = simulation.leaders()
    simulation.run(FOUND + seconds)
    assert simulation.leaders() == first
    assert len(first) == 1
