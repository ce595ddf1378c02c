"""The gateways that share queues, as one of them sees and reaches them."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
from collections.abc import Callable, Iterable

from tidegate.domain.arbiter import Arbiter
from tidegate.domain.flow_ticket import Ticket
from tidegate.domain.membership import Home
from tidegate.domain.mesh_words import ToArbiter
from tidegate.domain.peers import Address, View
from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.seat import Seat
from tidegate.domain.service import ServiceKey
from tidegate.gateway import peer_frames as frames
from tidegate.gateway.arbiter_link import ArbiterLink
from tidegate.gateway.guard import guarded
from tidegate.gateway.listening import listen
from tidegate.gateway.member_link import MemberLink
from tidegate.gateway.peer_keeper import PeerKeeper
from tidegate.gateway.peer_link import PeerLink
from tidegate.gateway.peer_source import PeerSource
from tidegate.gateway.settings import GatewaySettings

_log = logging.getLogger("tidegate.gateway")
_HEARTBEAT_SECONDS = 1.0
_SILENT_ROUNDS = 5  # heartbeats; then the other side is taken for dead
_WATCH_AGAIN_SECONDS = 1.0
_STRANGERS = 64  # addresses whose first connection is said; a scan must not fill the log
Moved = Callable[[Arbiter], None]


class Mesh:
    """Surroundings of every seat, Ears of every connection. ``requests``: the tickets that this gateway's
    own requests hold, with their services; ``changed``: a queue's numbers changed."""

    def __init__(
        self,
        settings: GatewaySettings,
        source: PeerSource,
        time: Callable[[], float],
        changed: Callable[[ServiceKey], None],
    ) -> None:
        self.view = View(os.urandom(8).hex())  # a process's, not an address's: a restarted one is another
        self.requests: Callable[[], Iterable[tuple[ServiceKey, Ticket]]] = tuple
        self.changed = changed
        self._settings = settings
        self._source = source
        self._time = time
        self._seats: dict[ServiceKey, tuple[Seat, Moved]] = {}
        self._waiting: set[Seat] = set()
        self._turning = False
        self._keepers: dict[Address, PeerKeeper] = {}
        self._up: dict[str, MemberLink] = {}
        self._members: set[ArbiterLink] = set()
        self._silent: dict[PeerLink, int] = {}  # rounds without a word
        self._strangers: set[str] = set()
        self._next_beat = 0.0
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    # -- for the gateway

    @property
    def port(self) -> int:
        """The peer port that is listened on."""
        return 0 if self._server is None else int(self._server.sockets[0].getsockname()[1])

    @property
    def source_address(self) -> tuple[str, int] | None:
        """Where connections to the others come from: the address that they know this gateway by, also where
        its host has several; None leaves it to the kernel."""
        try:
            listening = ipaddress.ip_address(self._settings.peer_host)
        except ValueError:
            return None
        return None if listening.is_unspecified else (str(listening), 0)

    async def start(self) -> None:
        """Listens, and begins to look for the others. OSError where the port cannot be listened on."""
        loop, settings = asyncio.get_running_loop(), self._settings
        self._server = await listen(
            "--peer-listen", lambda: ArbiterLink(self), settings.peer_host, settings.peer_port
        )
        self._watch = loop.create_task(self._keep_watching())
        _log.info("other gateways reach this one on port %d", self.port)

    async def _keep_watching(self) -> None:
        while True:
            try:
                await self._source.watch(self._list)
            except Exception:  # noqa: BLE001 - it is logged, and begun again
                _log.exception("the watch of the gateways failed, and begins again")
            await asyncio.sleep(_WATCH_AGAIN_SECONDS)

    def _list(self, addresses: Iterable[Address]) -> None:
        wanted = set(addresses)
        new, unlisted = self.view.list(wanted)
        for address, known in self._keepers.items():
            known.listed = address in wanted  # one may come back before its connection has ended
        for address in new:
            keeper = self._keepers[address] = PeerKeeper(self, address, self.view.peers[address])
            keeper.start()
        for address in unlisted:
            self._keepers[address].poke()
        self._turn_soon()

    def forgotten(self, address: Address) -> None:
        """Nobody is there any more, or it is this gateway itself."""
        self._keepers.pop(address, None)
        self.view.forget(address)
        self._turn_soon()

    def set_ready(self, *, ready: bool) -> None:
        """This gateway knows the services, or does not yet."""
        if self.view.own.ready != ready:
            self.view.own.ready = ready
            self._say_state()

    def leave(self) -> None:
        """This gateway takes no new requests: another one is the arbiter of what it was, and hears it now."""
        self.view.own.leaving = True
        self._say_state()

    def _flags(self) -> int:
        own = self.view.own
        return (frames.READY if own.ready else 0) | (frames.LEAVING if own.leaving else 0)

    def _say_state(self) -> None:
        self.view.changed()
        self._beat()
        self._turn_soon()

    def _beat(self) -> None:
        state = frames.S_STATE.pack(4, frames.STATE, self._flags())
        for member in self._members:
            if member.peer:
                member.send(state)
        ping = frames.HEAD.pack(3, frames.PING)
        for link in self._up.values():
            link.send(ping)

    def sweep(self, now: float) -> None:
        """A few times a second: what waits is looked at again, and silent connections are ended."""
        for seat in list(self._waiting):
            guarded(self._turn, seat)
        if now >= self._next_beat:
            self._next_beat = now + _HEARTBEAT_SECONDS
            self._beat()
            self._end_silent()
            for seat, _ in list(self._seats.values()):
                if seat.remote.tickets:
                    guarded(seat.remote.expire)

    def _end_silent(self) -> None:
        links: list[PeerLink] = [*self._members, *self._up.values()]
        silent = {link: 0 if link.heard else self._silent.get(link, 0) + 1 for link in links}
        self._silent = silent
        for link, rounds in silent.items():
            link.heard = False
            if rounds >= _SILENT_ROUNDS or link.stuck:
                _log.warning("a gateway (%s) does not answer: its connection is ended", link.peer or "new")
                link.abort()

    async def close(self) -> None:
        """Says that this gateway ends, and ends every connection."""
        goodbye = frames.S_STATE.pack(4, frames.STATE, self._flags() | frames.ENDS)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for member in list(self._members):
            if member.peer:
                member.send(goodbye)
            member.flush()
            if member.transport is not None:
                member.transport.close()
        keepers = list(self._keepers.values())
        self._seats.clear()
        await asyncio.gather(*(keeper.close() for keeper in keepers))

    def status(self) -> list[dict[str, object]]:
        """The other gateways, for people."""
        return [
            {
                "address": f"{host}:{port}",
                "link": peer.link.value,
                "ready": peer.ready,
                "leaving": peer.leaving,
            }
            for (host, port), peer in self.view.peers.items()
        ]

    # -- seats

    def take_seat(self, home: Home, remote: RemoteArbiter, moved: Moved) -> Seat:
        """This gateway knows a service. ``moved`` is told whom to ask from then on."""
        seat = Seat(home, remote, self, self._time)
        self._seats[seat.key] = seat, moved
        self._waiting.add(seat)
        self._turn_soon()
        return seat

    def give_up_seat(self, seat: Seat) -> None:
        """The service is gone."""
        self._seats.pop(seat.key, None)
        self._waiting.discard(seat)
        seat.close()

    def _turn_soon(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn_all)

    def _turn_all(self) -> None:
        self._turning = False
        for seat, _ in list(self._seats.values()):
            guarded(self._turn, seat)

    def _turn(self, seat: Seat) -> None:
        before = seat.here, seat.acts
        if seat.turn():
            self._waiting.discard(seat)
        else:
            self._waiting.add(seat)
        if before != (seat.here, seat.acts):
            self.changed(seat.key)  # the queue's numbers are another gateway's, or ours, from now on

    # -- Surroundings

    def link_to(self, gateway: str) -> ToArbiter | None:
        """See Surroundings."""
        return self._up.get(gateway)

    def own_tickets(self, key: ServiceKey) -> Iterable[Ticket]:
        """See Surroundings. It looks at every connection: only a busy service that moves is asked for."""
        return [ticket for service, ticket in self.requests() if service == key]

    def moved(self, key: ServiceKey, arbiter: Arbiter) -> None:
        """See Surroundings."""
        self._seats[key][1](arbiter)

    # -- Ears

    def seat(self, key: ServiceKey) -> Seat | None:
        """See Ears."""
        found = self._seats.get(key)
        return None if found is None else found[0]

    def remote(self, key: ServiceKey) -> RemoteArbiter | None:
        """See Ears."""
        found = self._seats.get(key)
        return None if found is None else found[0].remote

    def welcome(self, host: str) -> bool:
        """See Ears."""
        known = any(host in keeper.hosts for keeper in self._keepers.values())
        if not known and host not in self._strangers and len(self._strangers) < _STRANGERS:
            self._strangers.add(host)
            _log.info("a connection from %s to the peer port was closed: no gateway is known there", host)
        return known

    def greeted(self, link: PeerLink, hello: frames.Hello) -> bool:
        """See Ears: answers a gateway that connected, and looks whether it can be reached now."""
        if isinstance(link, MemberLink):
            return True
        if not isinstance(link, ArbiterLink):
            return False
        for former in [member for member in self._members if member.peer == hello.id]:
            former.abort()
        self._members.add(link)
        link.send(frames.hello(self.view.own.id, self.port))
        link.send(frames.S_STATE.pack(4, frames.STATE, self._flags()))
        for (_, port), keeper in self._keepers.items():
            if port == hello.port:
                keeper.poke()
        return True

    def state(self, link: PeerLink, flags: int) -> None:
        """See Ears."""
        for keeper in self._keepers.values():
            if keeper.link is link:
                keeper.state(flags)

    def waits(self, seat: Seat) -> None:
        """See Ears."""
        self._waiting.add(seat)

    def lost(self, link: PeerLink) -> None:
        """See Ears."""
        if isinstance(link, ArbiterLink):
            self._members.discard(link)
            link.end_memberships()

    # -- for the keepers

    def hello(self) -> bytes:
        """The first frame to another gateway."""
        return frames.hello(self.view.own.id, self.port)

    def peer_changed(self, gateway: str, link: MemberLink | None) -> None:
        """A peer's state changed; ``link``: the connection to it now."""
        if link is not None:
            self._up[gateway] = link
        else:
            self._up.pop(gateway, None)
        self.view.changed()
        self._turn_soon()
