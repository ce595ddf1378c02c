"""The body of an answer in pieces, from the byte that was asked for."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from .remote import Body, CutOffError
from .web import Response

PIECE = 1 << 20


def body_of(response: Response, start: int) -> Body:
    """``start``: what was asked for. A server that knows no ranges answers 200, with everything."""
    begins = start if response.status == http.client.PARTIAL_CONTENT else 0
    return Body(begins, _pieces(response), _is_encrypted(response))


def _is_encrypted(response: Response) -> bool:
    """An object under a key of KMS, or of the customer's, has a tag that is no digest of it."""
    kept = response.headers.get("x-amz-server-side-encryption", "")
    return kept.startswith("aws:kms") or "x-amz-server-side-encryption-customer-algorithm" in response.headers


def _pieces(response: Response) -> Iterator[bytes]:
    while True:
        try:
            piece = response.read(PIECE)
        except http.client.IncompleteRead as error:
            yield error.partial
            raise CutOffError("the connection was closed in the middle of a file") from error
        except (OSError, http.client.HTTPException) as error:
            raise CutOffError(f"reading stopped: {error}") from error
        if not piece:
            return
        yield piece
