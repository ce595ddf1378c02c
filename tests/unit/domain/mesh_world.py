"""Gateways in one process whose connections a test moves word by word, in any order between connections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tidegate.domain.api_errors import ApiError
from tidegate.domain.arbiter import Arbiter
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket, Verdict
from tidegate.domain.membership import Membership, MembersWaiter
from tidegate.domain.mesh_words import Finding, ToArbiter
from tidegate.domain.peers import Link, View
from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.seat import PATIENCE_SECONDS, Seat
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.domain.shared_flow import Held, SharedFlow

KEY = ServiceKey("n", "s")
CONFIG = ServiceConfig(KEY, 0.0, ("m",), max_concurrency=2, max_depth=5)
ENDPOINTS = [EndpointKey(f"w{n}", 0, "h", n) for n in range(2)]
Word = Callable[[], None]
HERE = (Stage.READING, Stage.WAITING, Stage.RUNNING)


class Request:
    """What a gateway holds for a client: hears what its ticket's arbiter decides."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ticket = Ticket(self, 1)
        self.ends: list[str] = []
        self.runs = 0

    def begin(self, *, whole: bool) -> None:
        self.obey(self.node.arbiter.ask(self.ticket, body_read=whole))

    def obey(self, verdict: Verdict) -> None:
        if isinstance(verdict, Endpoint):
            self.granted(verdict)
        elif isinstance(verdict, ApiError):
            self.evicted(verdict)

    def granted(self, endpoint: Endpoint) -> None:
        assert not self.ends
        assert self.ticket.endpoint is endpoint
        self.runs += 1

    def evicted(self, error: ApiError) -> None:
        self.ends.append(error.code)

    def admitted(self) -> None:
        assert not self.ends

    def finish(self) -> None:
        self.ends.append("done")
        self.node.arbiter.done(self.ticket)

    def give_back(self) -> None:
        self.node.arbiter.give_back(self.ticket)


class Home:
    """SharedArbiter without timers."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.flow = SharedFlow(CONFIG, now())
        self._grant(self.flow.set_endpoints(ENDPOINTS, now()))

    def _grant(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            if ticket.endpoint is not None:
                ticket.waiter.granted(ticket.endpoint)

    def ask(self, ticket: Ticket, *, body_read: bool) -> Verdict:
        return self.flow.ask(ticket, self.now(), body_read=body_read)

    def grow(self, ticket: Ticket, more: int) -> ApiError | None:
        return self.flow.grow(ticket, more, self.now())

    def body_read(self, ticket: Ticket) -> Verdict:
        return self.flow.body_read(ticket, self.now())

    def give_back(self, ticket: Ticket) -> None:
        self._grant(self.flow.give_back(ticket, self.now()))

    def done(self, ticket: Ticket) -> None:
        self._grant(self.flow.done(ticket, self.now()))

    @property
    def busy(self) -> bool:
        return self.flow.busy

    def held(self, ticket: Ticket) -> Held:
        return self.flow.held(ticket, self.now())

    def adopt(self, ticket: Ticket, held: Held) -> None:
        self.flow.adopt(ticket, held, self.now())

    def release(self, tickets: Iterable[Ticket]) -> None:
        self._grant(self.flow.release(tickets, self.now()))

    def freeze(self) -> None:
        self.flow.freeze()

    def thaw(self) -> None:
        granted, answers = self.flow.thaw(self.now())
        self._grant(granted)
        for ticket, verdict in answers:
            if isinstance(verdict, ApiError):
                ticket.waiter.evicted(verdict)
            elif verdict is WAIT:
                if ticket.stage in HERE:
                    ticket.waiter.admitted()
            elif ticket.endpoint is not None:
                ticket.waiter.granted(ticket.endpoint)

    def found(self, endpoint: EndpointKey, finding: Finding, age: float) -> None:
        raise AssertionError((endpoint, finding, age))


class Wire:
    """One connection: two directions, each in order. An end hears of the end after all that was said."""

    def __init__(self, member: Node, arbiter: Node, slot: int) -> None:
        self.member_node, self.arbiter_node, self.slot = member, arbiter, slot
        self.member = member.id  # as ToMember has it
        self.up: deque[Word] = deque()
        self.down: deque[Word] = deque()
        self.broken = False
        self.membership: Membership | None = None

    def cut(self) -> None:
        """The connection breaks; what was sent before arrives, and then its end."""
        if not self.broken:
            self.broken = True
            self.up.append(partial(self.arbiter_node.member_lost, self))
            self.down.append(partial(self.member_node.arbiter_lost, self))

    # -- ToArbiter

    def _send(self, word: Word) -> None:
        if not self.broken:
            self.up.append(word)

    def join(self, _key: ServiceKey, epoch: int) -> int:
        self._send(partial(self._joins, epoch))
        return 0

    def endpoint(self, reference: int) -> EndpointKey:
        return ENDPOINTS[reference]

    def _joins(self, epoch: int) -> None:
        self.membership = self.arbiter_node.seat.join(self, 0, epoch)

    def _to(self, name: str, *args: Any) -> None:
        def word() -> None:
            if self.membership is not None:
                getattr(self.membership, name)(*args)

        self._send(word)

    def report(self, _service: int, number: int, held: Held) -> None:
        self._to("report", number, held)

    def reported(self, _service: int) -> None:
        def word() -> None:
            if self.membership is not None:
                self.arbiter_node.seat.reported(self.membership)

        self._send(word)

    def leave(self, _service: int) -> None:
        def word() -> None:
            self.end_membership()

        self._send(word)

    def end_membership(self) -> None:
        membership, self.membership = self.membership, None
        if membership is not None:
            self.arbiter_node.seat.left(membership)

    def ask(self, _service: int, t: Ticket) -> None:
        number, size, whole = t.number, t.bytes, t.whole

        def word() -> None:
            if self.membership is not None:
                ticket = Ticket(MembersWaiter(self.membership, number), size)
                self.membership.ask(number, ticket, body_read=whole)

        self._send(word)

    def grow(self, _service: int, number: int, more: int) -> None:
        self._to("grow", number, more)

    def body_read(self, _service: int, t: Ticket) -> None:
        self._to("body_read", t.number, t.priority, t.prefix)

    def give_back(self, _service: int, number: int) -> None:
        self._to("give_back", number)

    def done(self, _service: int, number: int) -> None:
        self._to("done", number)

    def found(self, service: int, endpoint: EndpointKey, finding: Finding, age: float) -> None:
        raise AssertionError((service, endpoint, finding, age))

    # -- ToMember

    def _answer(self, name: str, *args: Any) -> None:
        if not self.broken:
            self.down.append(lambda: getattr(self.member_node.remote, name)(self, *args))

    def joined(self, _service: int, epoch: int) -> None:
        self._answer("joined", epoch)

    def unknown(self, _service: int) -> None: ...

    def go(self, _service: int, number: int, endpoint: Endpoint, depth: int, cold_wait: float) -> None:
        self._answer("go", number, ENDPOINTS.index(endpoint.key), (depth, cold_wait, False))

    def admitted(self, _service: int, number: int, depth: int) -> None:
        self._answer("admitted", number, depth)

    def end(self, _service: int, number: int, error: ApiError) -> None:
        self._answer("end", number, error)

    def state(self, node: Node) -> None:
        """The arbiter's end says how it is."""
        if not self.broken:
            self.down.append(partial(self.member_node.heard, self, node.id, node.ready, node.leaving))


class Node:
    """One gateway's process."""

    def __init__(self, world: World, slot: int, name: str) -> None:
        self.world, self.slot, self.id = world, slot, name
        self.alive, self.ready, self.leaving = True, False, False
        self.view = View(name)
        self.view.list((str(n), n) for n in range(world.size) if n != slot)
        self.wires: dict[int, Wire] = {}  # to the others, by slot
        self.requests: list[Request] = []
        self.home = Home(world.time)
        self.remote = RemoteArbiter(CONFIG, self.home.flow.clock, world.time, lambda _: None)
        self.seat = Seat(self.home, self.remote, self, world.time)

    @property
    def arbiter(self) -> Arbiter:
        return self.home if self.seat.here else self.remote

    def link_to(self, gateway: str) -> ToArbiter | None:
        """See Surroundings."""
        for slot, wire in self.wires.items():
            peer = self.view.peers[(str(slot), slot)]
            if peer.id == gateway and peer.link is Link.UP and wire.arbiter_node.id == gateway:
                return wire
        return None

    def own_tickets(self, _key: ServiceKey) -> Iterable[Ticket]:
        """See Surroundings."""
        return [r.ticket for r in self.requests if not r.ends]

    def moved(self, _key: ServiceKey, arbiter: Arbiter) -> None:
        """See Surroundings."""
        assert arbiter is self.arbiter

    def changed(self) -> None:
        self.view.changed()
        self.seat.turn()

    def become(self, *, ready: bool, leaving: bool) -> None:
        self.ready, self.leaving = ready, leaving
        self.view.own.ready, self.view.own.leaving = ready, leaving
        self.changed()
        for wire in self.world.wires:
            if wire.arbiter_node is self:
                wire.state(self)

    def connect(self, slot: int) -> None:
        """Tries to reach whoever is at ``slot``: refused is gone."""
        peer, other = self.view.peers[(str(slot), slot)], self.world.nodes[slot]
        if slot in self.wires:
            return
        if other is None:
            peer.link = Link.GONE
            self.changed()
            return
        self.world.end_former(self, other)
        wire = self.wires[slot] = Wire(self, other, slot)
        self.world.wires.append(wire)
        wire.state(other)

    def heard(self, wire: Wire, name: str, ready: bool, leaving: bool) -> None:
        if self.wires.get(wire.slot) is wire:
            peer = self.view.peers[(str(wire.slot), wire.slot)]
            peer.id, peer.link, peer.ready, peer.leaving = name, Link.UP, ready, leaving
            self.changed()

    def arbiter_lost(self, wire: Wire) -> None:
        if self.wires.get(wire.slot) is wire:
            del self.wires[wire.slot]
            self.view.peers[(str(wire.slot), wire.slot)].link = Link.TRYING
            self.changed()

    def member_lost(self, wire: Wire) -> None:
        wire.end_membership()


class World:
    """All of them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.now = 0.0
        self.nodes: list[Node | None] = [None] * size
        self.wires: list[Wire] = []
        self._names = 0

    def time(self) -> float:
        return self.now

    @property
    def living(self) -> list[Node]:
        return [node for node in self.nodes if node is not None]

    def start(self, slot: int) -> None:
        self._names += 1
        self.nodes[slot] = Node(self, slot, f"g{self._names}")

    def kill(self, node: Node) -> None:
        node.alive = False
        self.nodes[node.slot] = None
        for wire in self.wires:
            if node in (wire.member_node, wire.arbiter_node):
                wire.cut()

    def end_former(self, member: Node, arbiter: Node) -> None:
        """A gateway that is connected to anew drops the connection before, and what came on it unread."""
        for wire in self.wires:
            if (wire.member_node, wire.arbiter_node) == (member, arbiter) and wire.up:
                wire.up = deque([partial(arbiter.member_lost, wire)])

    def queues(self) -> list[deque[Word]]:
        """Directions in which a word is under way to a living gateway."""
        self.wires = [w for w in self.wires if not w.broken or w.up or w.down]
        for wire in self.wires:
            if not wire.arbiter_node.alive:
                wire.up.clear()
            if not wire.member_node.alive:
                wire.down.clear()
        return [queue for wire in self.wires for queue in (wire.up, wire.down) if queue]

    def settle(self) -> None:
        """Every word arrives, every connection is tried, until nothing more is to be said."""
        for _ in range(50):
            while queues := self.queues():
                queues[0].popleft()()
            for node in self.living:
                for slot in range(self.size):
                    if slot != node.slot:
                        node.connect(slot)
            if not self.queues() and not self._the_lost_are_waited_for():
                return
        raise AssertionError("the gateways never come to rest")

    def _the_lost_are_waited_for(self) -> bool:
        """Only the dead can be lost to an arbiter where everybody has reached everybody."""
        waiting = [node.seat for node in self.living if node.seat.here and node.seat.lost]
        names = {node.id for node in self.living}
        assert not any(seat.acts or seat.lost & names for seat in waiting)
        self.now += PATIENCE_SECONDS if waiting else 0.0
        for seat in waiting:
            seat.turn()
        return bool(waiting)
