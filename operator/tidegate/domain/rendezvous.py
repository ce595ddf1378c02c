"""Rendezvous hashing: every gateway that knows the same candidates chooses the same one, without a word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def choose(subject: str, candidates: Iterable[str]) -> str:
    """The candidate with the greatest hash together with ``subject``; ValueError where there is none.

    When a candidate goes, only the subjects that it had move; when one comes, only those that it gets.
    """
    return max(candidates, key=lambda candidate: (_weight(subject, candidate), candidate))


def _weight(subject: str, candidate: str) -> bytes:
    """Python's own hash() differs from process to process."""
    return hashlib.blake2b(f"{subject}\n{candidate}".encode(), digest_size=8).digest()
