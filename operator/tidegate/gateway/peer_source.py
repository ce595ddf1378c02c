"""Where the other gateways are found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from tidegate.domain.peers import Address


class PeerSource(Protocol):
    """The addresses of all gateways of an installation; this one's own may be among them."""

    async def watch(self, tell: Callable[[Iterable[Address]], None]) -> None:
        """Tells all that there are, now and after each change, until cancelled."""
        ...


class StaticPeers:
    """A list that never changes."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        self._addresses = tuple(addresses)

    async def watch(self, tell: Callable[[Iterable[Address]], None]) -> None:
        """See PeerSource."""
        tell(self._addresses)
        await asyncio.Event().wait()
