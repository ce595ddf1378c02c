"""Errors that cross the floors: raised by a substrate, understood by an edge."""

from __future__ import annotations


class WakeError(Exception):
    """A wake was refused or did not get through; the message says by whom and what to do about it.

    ``retry_after``: seconds that whoever refused it wants to be left alone, 0 where nothing was said.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
