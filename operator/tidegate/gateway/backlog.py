"""Connections that the kernel has accepted and the server has not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable

_log = logging.getLogger("tidegate.gateway")


async def accept_backlog(server: asyncio.Server, protocol: Callable[[], asyncio.Protocol]) -> None:
    """Serves every connection that waits to be accepted, and closes the server's sockets: the kernel resets
    what still waits when a socket closes, and those clients have seen a connection."""
    loop = asyncio.get_running_loop()
    found: list[socket.socket] = []
    listening = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
    server.close()  # the sockets stay open by their doubles: nothing comes between the last look and the end
    for each in listening:
        each.setblocking(False)
        with each:
            found += _accept_all(each)
    for client in found:
        client.setblocking(False)
        with contextlib.suppress(OSError):  # its client has left
            await loop.connect_accepted_socket(protocol, client)


def _accept_all(listening: socket.socket) -> list[socket.socket]:
    """Every connection that waits there, or as many as this process may open: the others must not cost those
    that it has."""
    found: list[socket.socket] = []
    while True:
        try:
            found.append(listening.accept()[0])
        except ConnectionAbortedError:
            continue
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                _log.error("some connections are refused: %s", error)
            return found
