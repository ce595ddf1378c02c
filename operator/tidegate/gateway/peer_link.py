"""The two ends of a connection between gateways: frames in, frames out, one write in a turn of the loop."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, cast

import msgspec

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import Endpoint, EndpointKey, Ticket
from tidegate.domain.membership import Membership, MembersWaiter
from tidegate.domain.mesh_words import Finding
from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.seat import Seat
from tidegate.domain.service import ServiceKey
from tidegate.domain.shared_flow import Held
from tidegate.gateway import peer_frames as frames

_log = logging.getLogger("tidegate.gateway")
_UNSENT_LIMIT = 16 * 1024 * 1024  # bytes; a gateway that reads so little is taken for dead
Handler = Callable[[bytes, int, int], None]  # the data, where the frame begins, and its length


class Ears(Protocol):
    """Who hears what a connection says about gateways, and knows the services."""

    def seat(self, key: ServiceKey) -> Seat | None:
        """The seat of a service that is known here."""
        ...

    def remote(self, key: ServiceKey) -> RemoteArbiter | None:
        """The member's half of it."""
        ...

    def welcome(self, host: str) -> bool:
        """Whether a gateway is known at the address that a connection comes from."""
        ...

    def greeted(self, link: PeerLink, hello: frames.Hello) -> bool:
        """The other side said who it is; False: it is not wanted."""
        ...

    def state(self, link: MemberLink, flags: int) -> None:
        """The other gateway said how it is."""
        ...

    def waits(self, seat: Seat) -> None:
        """A seat waits for something that does not come as a frame."""
        ...

    def changed(self, key: ServiceKey) -> None:
        """The queue of a service changed by another gateway's requests."""
        ...

    def lost(self, link: PeerLink) -> None:
        """The connection has ended."""
        ...


class PeerLink(asyncio.Protocol):
    """What both ends have in common."""

    def __init__(self, ears: Ears, handlers: dict[int, Handler]) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer = ""  # the other gateway's id, once it has told
        self.heard = True  # something came since the last sweep
        self.greeted = asyncio.Event()  # the other side told who it is, or the connection has ended
        self.closed = asyncio.Event()
        self._ears = ears
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._rest = b""
        self._handlers: list[Handler] = [self._unforeseen] * frames.KINDS
        self._handlers[frames.HELLO] = self._hello
        self._later = {frames.PING: self._ping, **handlers}

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Frames, and possibly a part of one."""
        self.heard = True
        if self._rest:
            data = self._rest + data
        try:
            self._rest = data[self._take(data) :]
        except (ValueError, LookupError, struct.error, msgspec.MsgspecError) as error:
            _log.error("the connection to another gateway (%s) is closed: %s", self.peer or "new", error)
            self.abort()

    def _take(self, data: bytes) -> int:
        """Handles every whole frame; where the first incomplete one begins."""
        at, end = 0, len(data)
        handlers, unpack = self._handlers, frames.HEAD.unpack_from
        while at + 3 <= end:
            size, kind = unpack(data, at)
            if size < 3 or kind >= len(handlers):
                raise frames.FrameError(f"{size} bytes of kind {kind} are no frame")
            if at + size > end:
                break
            handlers[kind](data, at, size)
            at += size
        return at

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection has ended."""
        if not self.closed.is_set():
            self.closed.set()
            self.greeted.set()
            self._ears.lost(self)

    # -- sending

    def send(self, frame: bytes) -> None:
        """Sends it with all others of this turn of the loop; nothing happens where the connection is gone."""
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(frame)

    def flush(self) -> None:
        """Sends what is there now."""
        out, self._out = self._out, []
        if out and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(out))

    def abort(self) -> None:
        """Ends the connection at once; ``lost`` follows."""
        if self.transport is not None:
            self.transport.abort()

    @property
    def stuck(self) -> bool:
        """The other side does not read."""
        transport = self.transport
        return transport is not None and transport.get_write_buffer_size() > _UNSENT_LIMIT

    # -- frames of both

    def _hello(self, data: bytes, at: int, size: int) -> None:
        found = frames.read_hello(data[at + 3 : at + size])
        self.peer = found.id
        if not self._ears.greeted(self, found):
            self.peer = ""
            self.abort()
        else:
            self.greeted.set()
            for kind, handler in self._later.items():
                self._handlers[kind] = handler

    def _ping(self, _data: bytes, _at: int, _size: int) -> None:
        """It lives."""

    def _unforeseen(self, data: bytes, at: int, _size: int) -> None:
        raise frames.FrameError(f"a frame of kind {data[at + 2]} is not for this side")


class MemberLink(PeerLink):
    """The end that connected: asks the other gateway. Implements ToArbiter."""

    def __init__(self, ears: Ears) -> None:
        handlers: dict[int, Handler] = {
            frames.STATE: self._state,
            frames.ENDPOINT: self._endpoint,
            frames.JOINED: self._joined,
            frames.UNKNOWN: self._unknown,
            frames.GO: self._go,
            frames.ADMITTED: self._admitted,
            frames.END: self._end,
        }
        super().__init__(ears, handlers)
        self.flags = 0  # what it said of itself last
        self._services: dict[ServiceKey, int] = {}
        self._remotes: list[RemoteArbiter | None] = []  # by the service's number
        self._named: dict[EndpointKey, int] = {}  # those that we told
        self._endpoints: dict[int, EndpointKey] = {}  # those that we were told

    def join(self, key: ServiceKey, epoch: int) -> int:
        """See ToArbiter."""
        number = self._services.get(key)
        if number is None:
            number = self._services[key] = len(self._remotes)
            self._remotes.append(None)
            self.send(frames.service(number, str(key)))
        self._remotes[number] = self._ears.remote(key)
        self.send(frames.S_EPOCH.pack(frames.S_EPOCH.size, frames.JOIN, number, epoch))
        return number

    def endpoint(self, reference: int) -> EndpointKey:
        """See ToArbiter."""
        return self._endpoints[reference]

    def report(self, service: int, number: int, held: Held) -> None:
        """See ToArbiter."""
        reference = frames.NO_ENDPOINT if held.endpoint is None else self._name(held.endpoint)
        self.send(frames.report(service, number, held, reference))

    def _name(self, key: EndpointKey) -> int:
        number = self._named.get(key)
        if number is None:
            number = self._named[key] = len(self._named)
            self.send(frames.endpoint(number, key))
        return number

    def reported(self, service: int) -> None:
        """See ToArbiter."""
        self.send(frames.S_SERVICE.pack(frames.S_SERVICE.size, frames.REPORTED, service))

    def leave(self, service: int) -> None:
        """See ToArbiter."""
        self.send(frames.S_SERVICE.pack(frames.S_SERVICE.size, frames.LEAVE, service))

    def ask(self, service: int, ticket: Ticket) -> None:
        """See ToArbiter."""
        t = ticket
        self.send(
            frames.S_ASK.pack(29, frames.ASK, service, t.number, t.bytes, t.whole, t.priority, t.prefix)
        )

    def grow(self, service: int, number: int, more: int) -> None:
        """See ToArbiter."""
        self.send(frames.S_GROW.pack(frames.S_GROW.size, frames.GROW, service, number, more))

    def body_read(self, service: int, ticket: Ticket) -> None:
        """See ToArbiter."""
        number, priority, prefix = ticket.number, ticket.priority, ticket.prefix
        self.send(frames.S_BODY_READ.pack(20, frames.BODY_READ, service, number, priority, prefix))

    def give_back(self, service: int, number: int) -> None:
        """See ToArbiter."""
        self.send(frames.S_TICKET.pack(11, frames.GIVE_BACK, service, number))

    def done(self, service: int, number: int) -> None:
        """See ToArbiter."""
        self.send(frames.S_TICKET.pack(11, frames.DONE, service, number))

    def found(self, service: int, endpoint: EndpointKey, finding: Finding, age: float) -> None:
        """See ToArbiter."""
        size, reference = frames.S_FOUND.size, self._name(endpoint)
        self.send(frames.S_FOUND.pack(size, frames.FOUND, service, reference, finding.value, age))

    # -- what the arbiter's end says

    def _state(self, data: bytes, at: int, _size: int) -> None:
        self.flags = data[at + 3]
        self._ears.state(self, self.flags)

    def _endpoint(self, data: bytes, at: int, size: int) -> None:
        number = frames.S_SERVICE.unpack_from(data, at)[2]
        self._endpoints[number] = frames.read_endpoint(data[at + frames.S_SERVICE.size : at + size])

    def _joined(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, epoch = frames.S_EPOCH.unpack_from(data, at)
        remote = self._remotes[service]
        if remote is not None:
            remote.joined(self, epoch)

    def _unknown(self, data: bytes, at: int, _size: int) -> None:
        """The service is not known there, yet or any more: joined again by the next sweep."""
        remote = self._remotes[frames.S_SERVICE.unpack_from(data, at)[2]]
        if remote is not None and remote.link is self:
            remote.lost()
            seat = self._ears.seat(remote.key)
            if seat is not None:
                self._ears.waits(seat)

    def _go(self, data: bytes, at: int, _size: int) -> None:
        fields = frames.S_GO.unpack_from(data, at)
        remote = self._remotes[fields[2]]
        if remote is not None:
            remote.go(self, fields[3], fields[4], fields[5:])

    def _admitted(self, data: bytes, at: int, _size: int) -> None:
        _, _, service, number, depth = frames.S_ADMITTED.unpack_from(data, at)
        remote = self._remotes[service]
        if remote is not None:
            remote.admitted(self, number, depth)

    def _end(self, data: bytes, at: int, size: int) -> None:
        _, _, service, number = frames.S_TICKET.unpack_from(data, at)
        remote = self._remotes[service]
        if remote is not None:
            remote.end(self, number, frames.read_error(data[at + frames.S_TICKET.size : at + size]))


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
            self.send(frames.endpoint(reference, endpoint.key))
        trial = endpoint.trial
        self.send(frames.S_GO.pack(24, frames.GO, service, number, reference, depth, cold_wait, trial))

    def admitted(self, service: int, number: int, depth: int) -> None:
        """See ToMember."""
        self.send(frames.S_ADMITTED.pack(15, frames.ADMITTED, service, number, depth))

    def end(self, service: int, number: int, error: ApiError) -> None:
        """See ToMember."""
        self.send(frames.end(service, number, error))

    # -- what the member's end says

    def _service(self, data: bytes, at: int, size: int) -> None:
        number = frames.S_SERVICE.unpack_from(data, at)[2]
        if number != len(self._keys):
            raise frames.FrameError(f"service {number} is named out of turn")
        self._keys.append(ServiceKey.parse(data[at + frames.S_SERVICE.size : at + size].decode()))
        self._memberships.append(None)

    def _endpoint(self, data: bytes, at: int, size: int) -> None:
        number = frames.S_SERVICE.unpack_from(data, at)[2]
        self._endpoints[number] = frames.read_endpoint(data[at + frames.S_SERVICE.size : at + size])

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
        _, _, service, number, size, whole, priority, prefix = frames.S_ASK.unpack_from(data, at)
        membership = self._memberships[service]
        if membership is not None:
            self._touched.add(service)
            ticket = Ticket(MembersWaiter(membership, number), size, priority)
            ticket.prefix = prefix
            membership.ask(number, ticket, body_read=whole != 0)

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
