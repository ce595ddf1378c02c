"""A port that is listened on, or a sentence that says which option named it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable


async def listen(
    option: str, protocol: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, backlog: int = 100
) -> asyncio.Server:
    """The server; OSError names the option, the address and the kernel's reason."""
    try:
        return await asyncio.get_running_loop().create_server(protocol, host, port, backlog=backlog)
    except OSError as error:
        looked_up = isinstance(error, socket.gaierror) or not error.errno
        reason = error.strerror or str(error) if looked_up else os.strerror(error.errno or 0)
        raise OSError(f"{option} {host}:{port}: {reason}") from None
