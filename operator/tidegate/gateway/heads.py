"""Tells whether a head says the same as one that was read before, its length apart.

Clients and workers send one and the same head again and again on a connection, but for that number.
Comparing bytes costs a tenth of reading them, and what equals a head that llhttp has judged needs no judge.
"""

from __future__ import annotations

import re
from typing import Final

# llhttp has let only digits through, and only one such field.
_LENGTH: Final = re.compile(rb"\r\n[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-[Ll][Ee][Nn][Gg][Tt][Hh]:[ \t]*([0-9]+)")
_DIGITS: Final = 15  # of a length, at most: far from where anybody's counter overflows


class SameHead:
    """One valid head, and how others compare with it. ``length`` is that of the latest that was equal: its
    Content-Length, or None where the head has none."""

    __slots__ = ("_before", "_digits", "_since", "length")

    def __init__(self, raw: bytes) -> None:
        found = _LENGTH.search(raw)
        self.length: int | None = None
        self._digits = found is not None
        self._before = raw  # up to the digits
        self._since = b""  # after them, the empty line included
        if found is not None:
            self.length = int(found[1])
            self._before, self._since = raw[: found.start(1)], raw[found.end(1) :]

    def end_in(self, data: bytes) -> int:
        """Where this head ends in ``data``, which begins with it; 0 where ``data`` begins otherwise."""
        if not data.startswith(self._before):
            return 0
        at = len(self._before)
        if not self._digits:
            return at
        length, end = 0, min(at + _DIGITS, len(data))
        while at < end and 48 <= (digit := data[at]) <= 57:
            length = length * 10 + digit - 48
            at += 1
        if at == len(self._before) or not data.startswith(self._since, at):
            return 0
        self.length = length
        return at + len(self._since)
