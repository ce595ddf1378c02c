"""Times, spans and counts as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_PRECISE_MINUTES = 10  # from then on seconds say nothing


def count(number: int, noun: str) -> str:
    """``1 worker``, ``3 workers``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def number(amount: int, noun: str) -> str:
    """``no worker``, ``1 worker``, ``3 workers``."""
    return count(amount, noun) if amount else f"no {noun}"


def span(seconds: float) -> str:
    """How long, in the two largest units that matter: ``45 s``, ``4 min 10 s``, ``2 h 5 min``, ``3 days``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _PRECISE_MINUTES * _MINUTE:
        return _pair(whole, _MINUTE, "min", 1, "s")
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return _pair(whole, _HOUR, "h", _MINUTE, "min")
    days = _pair(whole, _DAY, "days", _HOUR, "h") if whole < 10 * _DAY else f"{whole // _DAY} days"
    return days.replace("1 days", "1 day", 1) if whole // _DAY == 1 else days


def _pair(whole: int, large: int, name: str, small: int, rest_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {name}" + (f" {rest} {rest_name}" if rest else "")


def clock(moment: float, now: float) -> str:
    """``09:18:40 UTC``, with the date where it is not that of ``now``; both Unix times."""
    then, today = datetime.fromtimestamp(int(moment), UTC), datetime.fromtimestamp(int(now), UTC)
    return f"{then:%H:%M:%S} UTC" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M:%S} UTC"


def at(moment: float, now: float) -> str:
    """``at 09:18:40 UTC (in 3 min 20 s)``, or ``(4 min ago)`` of what is over."""
    away = moment - now
    relative = f"in {span(away)}" if away > 0 else f"{span(-away)} ago"
    return f"at {clock(moment, now)} ({relative})"


def since(moment: float | None, now: float) -> str:
    """``for 4 min 10 s, since 09:12:31 UTC``; empty where the moment is not known."""
    return "" if moment is None else f"for {span(now - moment)}, since {clock(moment, now)}"


def local(moment: float, zone: tzinfo, name: str) -> str:
    """A moment by the clocks of a zone: ``Mon 2026-11-23 17:45 Asia/Ho_Chi_Minh``."""
    return f"{datetime.fromtimestamp(int(moment), zone):%a %Y-%m-%d %H:%M} {name}"


def listed(parts: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def sentence(text: str) -> str:
    """With a full stop at its end, where it has none."""
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?")) else f"{stripped}."
