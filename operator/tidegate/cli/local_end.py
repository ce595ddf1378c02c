"""The end of a ``tidegate up``: first what runs, then the workers, and what it waits for is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tidegate.cli.console import Console
from tidegate.cli.ending import Ending
from tidegate.cli.gateway_beside import GatewayBeside
from tidegate.local.machine.node import Node
from tidegate.views import words

_SAY_SECONDS: Final = 5.0  # between two lines while nothing changes


class LocalEnd:
    """Each step waits for its effect, until somebody wants all to end at once."""

    def __init__(self, console: Console, ending: Ending, gateway: GatewayBeside, node: Node) -> None:
        self._console = console
        self._ending = ending
        self._gateway = gateway
        self._node = node

    async def requests(self) -> None:
        """Those that wait or run finish; new ones are refused."""
        number = words.number(self._gateway.requests, "request")
        again = "; Ctrl-C again ends at once" if self._gateway.requests else ""
        self._console.say(f"ending: {number} to finish{again}")
        await self._told(
            self._gateway.drain(), lambda: words.number(self._gateway.requests, "request") + " to finish"
        )

    async def workers(self) -> None:
        """All are ended within their grace, or at once."""
        if not self._workers():
            return
        self._console.say(f"ending {', '.join(self._workers())}")
        await self._told(
            self._node.end_all(), lambda: "waiting for " + (", ".join(self._workers()) or "nobody")
        )
        if self._workers():
            await self._node.end_all(at_once=True)

    def _workers(self) -> list[str]:
        keys = self._node.keys()
        return [pod["metadata"]["name"] for key in keys for pod in self._node.of(key)]

    async def _told(self, work: Coroutine[Any, Any, None], what: Callable[[], str]) -> None:
        telling = asyncio.create_task(self._tell(what))
        try:
            await self._ending.before_at_once(asyncio.create_task(work))
        finally:
            telling.cancel()

    async def _tell(self, what: Callable[[], str]) -> None:
        while True:
            await asyncio.sleep(_SAY_SECONDS)
            self._console.say(what())
