"""The priority that a request has in the queue."""

from __future__ import annotations

from typing import Any

from tidegate.domain.flow_ticket import FIRST_PRIORITY, LAST_PRIORITY


def priority_in_queue(header: int | None, body: Any) -> int:
    """The header's number; else the body's, brought into the allowed range; 0 where neither says one.

    The body's is vLLM's own field. It may be any integer there, and whether it makes sense is the engine's
    to say, so here it is never refused.
    """
    if header is not None:
        return header
    if type(body) is not int:
        return 0
    return max(FIRST_PRIORITY, min(LAST_PRIORITY, body))
