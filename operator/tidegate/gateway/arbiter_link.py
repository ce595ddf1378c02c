"""The end of a connection between gateways that is asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import Endpoint, EndpointKey, Ticket
from tidegate.domain.membership import Membership, MembersWaiter
from tidegate.domain.mesh_words import Finding
from tidegate.domain.service import ServiceKey
from tidegate.gateway import peer_frames as frames
from tidegate.gateway.peer_link import Ears, Handler, PeerLink

HELLO_SECONDS = 3.0  # for the other side to say who it is


class ArbiterLink(PeerLink):
    """The end that was connected to: is asked. Implements ToMember."""

    def __init__(self, ears: Ears) -> None:
        handlers: dict[int, Handler] = {
            frames.SERVICE: self._service,
            frames.ENDPOINT: self._endpoint,
            frames.JOIN: self._join,
            frames.REPORT: self._report,
            frames.REPORTED: self._reported,
            frames.LEAVE: self._leave,
            frames.ASK: self._ask,
            frames.GROW: self._grow,
            frames.BODY_READ: self._body_read,
            frames.GIVE_BACK: self._give_back,
            frames.DONE: self._done,
            frames.FOUND: self._found,
        }
        super().__init__(ears, handlers)
        self._keys: list[ServiceKey] = []
        self._memberships: list[Membership | None] = []  # by the service's number
        self._endpoints: dict[int, EndpointKey] = {}  # those that we were told
        self._named: dict[Endpoint, int] = {}  # those that we told
        self._touched: set[int] = set()  # services with news in the present batch

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; whoever is no known gateway is sent away unheard."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        if not peer or not self._ears.welcome(peer[0]):
            self.abort()
        self._loop.call_later(HELLO_SECONDS, self._end_unless_greeted)

    def _end_unless_greeted(self) -> None:
        if not self.peer:  # nobody else looks at a connection before that
            self.abort()

    @property
    def member(self) -> str:
        """See ToMember."""
        return self.peer

    def data_received(self, data: bytes) -> None:
        """Frames; then whoever watches the queues hears which of them changed."""
        super().data_received(data)
        for service in self._touched:
            self._ears.changed(self._keys[service])
        self._touched.clear()

    def end_memberships(self) -> None:
        """The member is gone: what it held is free."""
        memberships, self._memberships = self._memberships, [None] * len(self._memberships)
        for service, membership in enumerate(memberships):
            if membership is not None:
                self._left(service, membership)

    def _left(self, service: int, membership: Membership) -> None:
        seat = self._ears.seat(self._keys[service])
        if seat is not None and not seat.left(membership):
            self._ears.waits(seat)
        self._ears.changed(self._keys[service])

    # -- ToMember

    def joined(self, service: int, epoch: int) -> None:
        """See ToMember."""
        self.send(frames.S_EPOCH.pack(frames.S_EPOCH.size, frames.JOINED, service, epoch))

    def unknown(self, service: int) -> None:
        """See ToMember."""
        self._memberships[service] = None
        self.send(frames.S_SERVICE.pack(frames.S_SERVICE.size, frames.UNKNOWN, service))

    def go(self, service: int, number: int, endpoint: Endpoint, depth: int, cold_wait: float) -> None:
        """See ToMember."""
        reference = self._named.get(endpoint)
        if reference is None:
            reference = self._named[endpoint] = len(self._named)
            self.name(reference, frames.endpoint(reference, endpoint.key))
        trial = endpoint.trial
        self.send(frames.S_GO.pack(24, frames.GO, service, number, reference, depth, cold_wait, trial))

    def admitted(self, service: int, number: int, depth: int) -> None:
        """See ToMember."""
        self.send(frames.S_ADMITTED.pack(15, frames.ADMITTED, service, number, depth))

    def end(self, service: int, number: int, error: ApiError) -> None:
        """See ToMember."""
        self.send(frames.end(service, number, error))
        self._ears.changed(self._keys[service])

    # -- what the member's end says

    def _service(self, data: bytes, at: int, size: int) -> None:
        number = frames.S_SERVICE.unpack_from(data, at)[2]
        if number != len(self._keys) or number >= frames.NAMES:
            raise frames.FrameError(f"service {number} is named out of turn")
        self._keys.append(ServiceKey.parse(data[at + frames.S_SERVICE.size : at + size].decode()))
        self._memberships.append(None)

    def _endpoint(self, data: bytes, at: int, size: int) -> None:
        number, key = frames.read_endpoint(data, at, size)
        self._endpoints[number] = key

    def _join(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, epoch = frames.S_EPOCH.unpack_from(data, at)
        seat = self._ears.seat(self._keys[service])
        if seat is None:
            self.unknown(service)
        else:
            self._memberships[service] = seat.join(self, service, epoch)

    def _report(self, data: bytes, at: int, _size: int) -> None:
        service, number, held, reference = frames.read_report(data, at)
        membership = self._memberships[service]
        if membership is not None:
            key = None if reference == frames.NO_ENDPOINT else self._endpoints[reference]
            membership.report(number, replace(held, endpoint=key))

    def _reported(self, data: bytes, at: int, _size: int) -> None:
        service = frames.S_SERVICE.unpack_from(data, at)[2]
        membership, seat = self._memberships[service], self._ears.seat(self._keys[service])
        if membership is not None and seat is not None:
            if not seat.reported(membership):
                self._ears.waits(seat)
            self._touched.add(service)

    def _leave(self, data: bytes, at: int, _size: int) -> None:
        service = frames.S_SERVICE.unpack_from(data, at)[2]
        membership, self._memberships[service] = self._memberships[service], None
        if membership is not None:
            self._left(service, membership)

    def _ask(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, number, size, state, priority, prefix = frames.S_ASK.unpack_from(data, at)
        membership = self._memberships[service]
        if membership is not None:
            self._touched.add(service)
            ticket = Ticket(MembersWaiter(membership, number), size, priority)
            ticket.prefix, ticket.wakes = prefix, frames.may_wake(state)
            membership.ask(number, ticket, body_read=state != 0)

    def _grow(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, number, more = frames.S_GROW.unpack_from(data, at)
        membership = self._memberships[service]
        if membership is not None:
            membership.grow(number, more)

    def _body_read(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, number, priority, prefix = frames.S_BODY_READ.unpack_from(data, at)
        membership = self._memberships[service]
        if membership is not None:
            membership.body_read(number, priority, prefix)

    def _give_back(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, number = frames.S_TICKET.unpack_from(data, at)
        membership = self._memberships[service]
        if membership is not None:
            membership.give_back(number)

    def _done(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, number = frames.S_TICKET.unpack_from(data, at)
        membership = self._memberships[service]
        if membership is not None:
            membership.done(number)
            self._touched.add(service)

    def _found(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, reference, finding, age = frames.S_FOUND.unpack_from(data, at)
        membership = self._memberships[service]
        if membership is not None:
            membership.found(self._endpoints[reference], Finding(finding), age)
