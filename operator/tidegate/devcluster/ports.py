"""Ports that are free, and stay free until whoever they are for binds them."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
LOW, HIGH = 20000, 29999  # below what Linux gives to outgoing connections (32768) and node ports (30000)
TRIES = 1000


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback that nobody listens on, all different; OSError if there are none.

    Each is reserved for a minute: a connection of it is left in TIME_WAIT. Until then the kernel gives the
    port to nobody who asks for any, and this function to nobody else; a server, which sets SO_REUSEADDR,
    may bind it. A port that was merely looked at and closed again may be taken before it is used.
    """
    return [_reserved() for _ in range(count)]


def _reserved() -> int:
    for port in random.sample(range(LOW, HIGH + 1), TRIES):
        with socket.socket() as server:
            try:
                server.bind((LOOPBACK, port))  # without SO_REUSEADDR: neither one in use nor one reserved
            except OSError:
                continue
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # inherited by what is accepted
            server.listen(1)
            with socket.create_connection((LOOPBACK, port)):
                accepted, _ = server.accept()
                accepted.close()  # who closes first is the one in TIME_WAIT
            return port
    raise OSError(f"no free port found between {LOW} and {HIGH}")
