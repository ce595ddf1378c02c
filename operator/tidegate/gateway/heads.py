"""The length in a head, and the head without it: what tells whether two heads say the same."""

from __future__ import annotations

import re

# llhttp has let only digits through, and only one such field.
_LENGTH = re.compile(rb"\r\n[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-[Ll][Ee][Nn][Gg][Tt][Hh]:[ \t]*([0-9]+)")


def without_length(raw: bytes) -> tuple[int | None, bytes]:
    """The Content-Length (None: there is none) of a valid head, and the head with its digits taken out.

    Clients and workers send one and the same head again and again on a connection, but for this number:
    comparing costs a third of reading it.
    """
    found = _LENGTH.search(raw)
    if found is None:
        return None, raw
    return int(found[1]), raw[: found.start(1)] + raw[found.end(1) :]
