"""Kubernetes' timestamps (RFC 3339, UTC, whole seconds) and Unix time."""

from __future__ import annotations

from datetime import UTC, datetime


def to_timestamp(unix: float) -> str:
    """The timestamp for a Unix time, its fraction cut off."""
    return datetime.fromtimestamp(int(unix), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_micro_timestamp(unix: float) -> str:
    """The same with microseconds, as Events have it."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_timestamp(text: object) -> float | None:
    """The Unix time of a timestamp; None for an absent or unreadable one."""
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
