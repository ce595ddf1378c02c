"""The two ends of a connection between gateways: frames in, frames out, one write in a turn of the loop."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import Protocol, cast

import msgspec

from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.seat import Seat
from tidegate.domain.service import ServiceKey
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

    def state(self, link: PeerLink, flags: int) -> None:
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

    def name(self, number: int, frame: bytes) -> None:
        """Sends a frame that gives something a number; where the numbers are used up, the connection ends,
        and the next one begins with none."""
        if number < frames.NAMES:
            self.send(frame)
        else:
            _log.info("the connection to the gateway %s begins anew: all its numbers are used", self.peer)
            self.abort()

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
        if self.peer:
            raise frames.FrameError("it tells a second time who it is")
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
