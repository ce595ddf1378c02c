"""The loopback address of a worker: one of its own, so that none shares a port with others."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

NETWORK = (127, 84)  # 127.84.0.0/16: the whole of 127.0.0.0/8 is the machine itself (RFC 1122, 3.2.1.3)
TRIES = 16
_LISTENS = "0A"  # in /proc/net/tcp


def free_address(taken: Collection[str], ports: Sequence[int], chance: random.Random) -> str | None:
    """An address on which nobody has these ports; None where somebody has one of them on every address."""
    for _ in range(TRIES):
        host = f"{NETWORK[0]}.{NETWORK[1]}.{chance.randint(1, 254)}.{chance.randint(1, 254)}"
        if host not in taken and taken_port(host, ports) is None:
            return host
    return None


def taken_port(host: str, ports: Sequence[int]) -> int | None:
    """The first port that cannot be listened on there; None where all can."""
    return next((port for port in ports if not _can_bind(host, port)), None)


def _can_bind(host: str, port: int) -> bool:
    """Binding without listening: nobody connects in the meantime. A listener on all addresses forbids it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a worker has that ended just now
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def port_in_use(port: int, read: Callable[[Path], str] = Path.read_text) -> str:
    """What to tell of a port that somebody has."""
    where = _listener(port, read) or "somebody listens"
    return (
        f"port {port} of the workers' loopback addresses (127.84.0.0/16) is taken: {where}; "
        "end that program, or let it listen on another port or on 127.0.0.1 alone"
    )


def _listener(port: int, read: Callable[[Path], str]) -> str:
    """``something listens on 0.0.0.0:8000 (inode 1234 …)``; empty where /proc does not tell."""
    for name, anywhere in (("tcp", "0.0.0.0"), ("tcp6", "[::]")):  # noqa: S104  words only
        try:
            lines = read(Path("/proc/net", name)).splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            address, _, number = fields[1].partition(":")
            if fields[3] == _LISTENS and int(number, 16) == port and not address.strip("0"):
                return f"something listens on {anywhere}:{port}"
    return ""
