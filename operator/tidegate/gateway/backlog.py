"""Connections that the kernel has accepted and the server has not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable


async def accept_backlog(server: asyncio.Server, protocol: Callable[[], asyncio.Protocol]) -> None:
    """Serves every connection that waits to be accepted, and closes the server's sockets: the kernel resets
    what still waits when a socket closes, and those clients have seen a connection."""
    loop = asyncio.get_running_loop()
    found: list[socket.socket] = []
    listening = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
    server.close()  # the sockets stay open by their doubles: nothing comes between the last look and the end
    for each in listening:
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError), each:
            while True:
                found.append(each.accept()[0])
    for client in found:
        client.setblocking(False)
        await loop.connect_accepted_socket(protocol, client)
