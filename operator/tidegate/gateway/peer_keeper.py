"""Keeps one connection to another gateway, and knows whether anybody is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from tidegate.domain.peers import Address, Link, Peer
from tidegate.gateway import peer_frames as frames
from tidegate.gateway.member_link import MemberLink

if TYPE_CHECKING:
    from tidegate.gateway.mesh import Mesh

_log = logging.getLogger("tidegate.gateway")
_CONNECT_SECONDS = 3.0  # to connect and be greeted; somebody whose host is lost is waited for so long
_AGAIN_SECONDS = 1.0  # between two looks at an address where nobody was


class PeerKeeper:
    """One address. Refused is gone at once, no answer is gone after 3 s; a connection that broke is tried
    again before the other is taken for gone."""

    def __init__(self, mesh: Mesh, address: Address, peer: Peer) -> None:
        self.hosts: frozenset[str] = frozenset({address[0]})  # as numbers, once they were looked up
        self.listed = True
        self.link: MemberLink | None = None
        self._mesh = mesh
        self._address = address
        self._peer = peer
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to try."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def poke(self) -> None:
        """Somebody may be there now, or it is not listed any more."""
        self._poked.set()

    async def close(self) -> None:
        """Ends the connection, after what was said was sent."""
        if self.link is not None and self.link.transport is not None:
            self.link.flush()
            self.link.transport.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        """A keeper that ended unseen would leave every service waiting for its address."""
        while True:
            try:
                return await self._run()
            except Exception:  # noqa: BLE001 - whatever it is, it is logged, and begun again
                _log.exception("keeping the connection to %s:%d failed, and begins again", *self._address)
                await self._pause()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self.listed:
            link = await self._connect()
            if link is not None and link.peer == self._mesh.view.own.id:
                link.abort()
                self._mesh.forgotten(self._address)  # this gateway itself
                return
            if link is not None:
                began = loop.time()
                await self._follow(link)
                if loop.time() - began < _AGAIN_SECONDS:  # what ends at once may do so again and again
                    await asyncio.sleep(_AGAIN_SECONDS)
            elif self.listed:
                self._gone()
                await self._pause()
        self._gone()
        self._mesh.forgotten(self._address)

    async def _connect(self) -> MemberLink | None:
        """A connection on which the other side has said who it is; None where nobody does."""
        loop, (host, port) = asyncio.get_running_loop(), self._address
        link: MemberLink | None = None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                found = await loop.getaddrinfo(host, port)
                self.hosts = frozenset(str(entry[4][0]) for entry in found)
                _, link = await loop.create_connection(
                    lambda: MemberLink(self._mesh), host, port, local_addr=self._mesh.source_address
                )
                link.send(self._mesh.hello())
                await link.greeted.wait()
        except (OSError, TimeoutError, UnicodeError) as error:  # the last: no name that could be looked up
            _log.debug("no gateway answers at %s:%d: %s", host, port, error or "no answer in time")
        if link is not None and (not link.peer or link.closed.is_set()):
            link.abort()
            return None
        return link

    async def _follow(self, link: MemberLink) -> None:
        """Until the connection ends."""
        self.link = link
        self._peer.id, self._peer.link = link.peer, Link.UP
        self._tell(link.flags)
        self._mesh.peer_changed(link.peer, link)
        _log.info("the gateway at %s:%d is there", *self._address)
        try:
            await link.closed.wait()
        finally:
            self.link = None
            if self._peer.link is Link.UP:
                self._peer.link = Link.TRYING
            self._mesh.peer_changed(link.peer, None)

    def _gone(self) -> None:
        if self._peer.link is not Link.GONE:
            _log.info("no gateway is at %s:%d", *self._address)
            gone, self._peer.id = self._peer.id, ""
            self._peer.link, self._peer.ready, self._peer.leaving = Link.GONE, False, False
            self._mesh.peer_changed(gone, None)

    async def _pause(self) -> None:
        self._poked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_SECONDS):
                await self._poked.wait()

    # -- what it says of itself

    def state(self, flags: int) -> None:
        """It is ready, or leaves, or ends: then it has nothing left, and nobody need wait for it."""
        before = self._peer.ready, self._peer.leaving
        self._tell(flags)
        if flags & frames.ENDS:
            self._gone()
        elif before != (self._peer.ready, self._peer.leaving):
            self._mesh.peer_changed(self._peer.id, self.link)

    def _tell(self, flags: int) -> None:
        self._peer.ready, self._peer.leaving = bool(flags & frames.READY), bool(flags & frames.LEAVING)
