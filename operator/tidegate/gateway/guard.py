"""A defect in one step of what runs for ever costs that step, not the gateway."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec

_log = logging.getLogger("tidegate.gateway")
P = ParamSpec("P")


def guarded(step: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Does one step of a task that must not end; what it raises is logged with its traceback."""
    try:
        step(*args, **kwargs)
    except Exception:  # noqa: BLE001 - whatever it is, it is logged, and the task must go on
        _log.exception("%s failed, and is tried again", getattr(step, "__qualname__", step))
