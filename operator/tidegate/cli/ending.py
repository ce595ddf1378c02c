"""How a ``tidegate up`` is told to end: by a signal, or by another command."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """``asked``: finish what runs, then end. ``at_once``: end what runs."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        self._said = said

    def ask(self, *, at_once: bool = False) -> None:
        """Whoever says it, and however often."""
        self.asked.set()
        if at_once and not self.at_once.is_set():
            self.at_once.set()

    def _signalled(self, number: signal.Signals) -> None:
        """A second Ctrl-C does not wait any more; init systems send SIGTERM again and mean no more by it."""
        again = self.asked.is_set() and number == signal.SIGINT
        if again and not self.at_once.is_set():
            self._said("ending at once: requests that still run get an error, and workers are killed")
        self.ask(at_once=again)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP ask inside this block; one that was ignored (nohup) stays so."""
        loop = asyncio.get_running_loop()
        taken = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in taken:
            loop.add_signal_handler(number, self._signalled, number)
        try:
            yield
        finally:
            for number in taken:
                with suppress(ValueError):
                    loop.remove_signal_handler(number)

    async def before_at_once(self, work: asyncio.Task[None]) -> bool:
        """Waits for a piece of work; where all is to end at once it is cancelled, and False returned."""
        hurry = asyncio.ensure_future(self.at_once.wait())
        try:
            await asyncio.wait([work, hurry], return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait([work])
            return False
        work.result()
        return True
