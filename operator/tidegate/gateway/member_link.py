"""The end of a connection between gateways that asks."""

from __future__ import annotations

from tidegate.domain.flow_ticket import EndpointKey, Ticket
from tidegate.domain.mesh_words import Finding
from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.service import ServiceKey
from tidegate.domain.shared_flow import Held
from tidegate.gateway import peer_frames as frames
from tidegate.gateway.peer_link import Ears, Handler, PeerLink


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
            self.name(number, frames.service(number, str(key)))
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
            self.name(number, frames.endpoint(number, key))
        return number

    def reported(self, service: int) -> None:
        """See ToArbiter."""
        self.send(frames.S_SERVICE.pack(frames.S_SERVICE.size, frames.REPORTED, service))

    def leave(self, service: int) -> None:
        """See ToArbiter."""
        self.send(frames.S_SERVICE.pack(frames.S_SERVICE.size, frames.LEAVE, service))

    def ask(self, service: int, ticket: Ticket) -> None:
        """See ToArbiter."""
        t, state = ticket, frames.body_state(whole=ticket.whole, wakes=ticket.wakes)
        self.send(frames.S_ASK.pack(29, frames.ASK, service, t.number, t.bytes, state, t.priority, t.prefix))

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
        number, key = frames.read_endpoint(data, at, size)
        self._endpoints[number] = key

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
