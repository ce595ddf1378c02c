"""How old something is, in the fewest characters: the rules of kubectl's column AGE."""

from __future__ import annotations

from typing import Final

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400

# Below how many seconds: the unit that is told, and the smaller one beside it where it is not 0.
_STEPS: Final = (
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
)


def age(seconds: float) -> str:
    """``95s``, ``4m10s``, ``3h5m``, ``12d``; of what is more than a second ahead ``<invalid>``, since clocks
    differ a little."""
    if seconds <= -2:
        return "<invalid>"
    whole = max(0, int(seconds))
    for limit, (size, unit), smaller in _STEPS:
        if whole < limit:
            rest = whole % size // smaller[0] if smaller else 0
            return f"{whole // size}{unit}" + (f"{rest}{smaller[1]}" if smaller and rest else "")
    return f"{whole // _YEAR}y"
