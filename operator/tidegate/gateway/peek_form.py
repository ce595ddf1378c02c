"""The few fields of a multipart form that the gateway must know."""

from __future__ import annotations

from tidegate.gateway.multipart import text_fields
from tidegate.gateway.peek import NOTHING, Peek
from tidegate.gateway.request import Refusal

_WANTED = frozenset({b"model", b"stream"})
_TRUE = frozenset({"true", "1", "on", "yes", "t", "y"})  # what pydantic takes for true


def peek_form(content_type: bytes, body: bytes, *, routed: bool) -> Peek:
    """The model and whether a stream is asked for; the last one of several, as the engine takes it.

    Refusal (400) where the form cannot be read; with ``routed``, where the model need not be known, NOTHING:
    the engine judges it then.
    """
    try:
        fields = text_fields(content_type, body, _WANTED)
    except Refusal:
        if routed:
            return NOTHING
        raise
    model, stream = fields.get(b"model"), fields.get(b"stream")
    return Peek(
        model=model[-1].text if model else None,
        stream=True if stream and stream[-1].text.strip().lower() in _TRUE else None,
    )
