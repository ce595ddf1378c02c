"""What a worker answers, and no more of it than is sensible: its image may be anybody's."""

from __future__ import annotations

import httpx


async def bounded(response: httpx.Response, most: int) -> bytes:
    """The body of a streamed answer; ValueError where it is longer than ``most`` bytes."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most:
            raise ValueError(f"the answer is longer than {most} bytes")
    return body
