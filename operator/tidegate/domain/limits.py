"""The limit of a service's queue, and where it comes from: one answer for webhook, operator and gateway.

An explicit ``queue.maxDepth`` holds. Where it is absent the webhook writes what calibration found, else the
installation's default, and notes value and source in an annotation, so that a defaulted value is never taken
for the user's: when its source changes, it is derived anew. With the webhook down the same function leaves no
queue unlimited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_MAX_DEPTH = 128  # waiting + in flight, where neither the user nor the chart says anything
HIGHEST_MAX_DEPTH = 100_000  # the bound of spec.queue.maxDepth

SPEC = "Spec"  # the user wrote it
CALIBRATION = "Calibration"  # a load test found it
DEFAULT = "Default"  # the installation's

_DEPTH = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_NOTE = re.compile(r"([1-9]\d{0,5}) from ([A-Za-z]{1,32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class QueueLimit:
    """How many requests may wait or run at once, and who said so."""

    limit: int
    source: str

    @property
    def note(self) -> str | None:
        """The annotation that belongs beside a defaulted value; None for the user's own."""
        return None if self.source == SPEC else f"{self.limit} from {self.source}"


def queue_limit(
    max_depth: int | None,
    note: str | None,
    default: int = DEFAULT_MAX_DEPTH,
    calibrated: int | None = None,
) -> QueueLimit:
    """The limit that holds for a spec with ``max_depth`` and the annotation ``note``.

    ``default`` is the installation's, ``calibrated`` what a load test found, None: there was none.

    >>> queue_limit(64, None)
    QueueLimit(limit=64, source='Spec')
    >>> queue_limit(128, "128 from Default", default=256)
    QueueLimit(limit=256, source='Default')
    >>> queue_limit(128, "128 from Default", calibrated=96)
    QueueLimit(limit=96, source='Calibration')
    """
    if max_depth is not None and noted_value(note) != max_depth:
        return QueueLimit(max_depth, SPEC)
    return QueueLimit(default, DEFAULT) if calibrated is None else QueueLimit(calibrated, CALIBRATION)


def noted_value(note: str | None) -> int | None:
    """The value that an annotation records as defaulted; None where there is no readable annotation."""
    match = _NOTE.fullmatch(note or "")
    return int(match[1]) if match else None


def calibrated_depth(text: str | None) -> int | None:
    """The limit in the annotation that calibration leaves; None where there is none that can hold.

    >>> calibrated_depth("96"), calibrated_depth("96.5"), calibrated_depth("100001")
    (96, None, None)
    """
    if not _DEPTH.fullmatch(text or ""):
        return None
    depth = int(text or "")
    return depth if depth <= HIGHEST_MAX_DEPTH else None
