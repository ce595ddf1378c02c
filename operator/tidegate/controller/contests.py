"""Objects of ours that somebody else writes too, or that cannot be what they should."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tidegate.domain.conditions import Condition
from tidegate.domain.contest import Contest, tried
from tidegate.domain.reasons import Reason
from tidegate.domain.service import ServiceKey
from tidegate.resources.names import SPEC_HASH_ANNOTATION
from tidegate.resources.plan import CREATED, Action

Json = dict[str, Any]

CONTESTED = "Contested"
_SHOWN = 5  # paths named; more are counted


class Contests:
    """Remembers corrections by service and object. A restart forgets them, and tries once more."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[ServiceKey, dict[str, Contest]] = {}

    def wait(self, key: ServiceKey, action: Action) -> float:
        """Seconds for which this correction should not be sent yet."""
        known = self._known.get(key, {}).get(_name(action))
        if known is None or known.wanted != _wanted(action):
            return 0.0
        return max(0.0, known.due() - self._now())

    def suspected(self, key: ServiceKey, action: Action) -> bool:
        """Whether it was corrected so often that it should be known who changes it."""
        known = self._known.get(key, {}).get(_name(action))
        return known is not None and known.wanted == _wanted(action) and known.tries > 1

    def sent(self, key: ServiceKey, action: Action, left: Iterable[str], managers: tuple[str, ...]) -> None:
        """A correction was sent; ``left``: the paths that its answer still has otherwise."""
        resisting = tuple(left)
        if action.why == CREATED and not resisting:
            return  # the second half of a creation corrects nobody
        known = self._known.setdefault(key, {})
        now = tried(known.get(_name(action)), _wanted(action), resisting or action.why, self._now())
        known[_name(action)] = replace(now, resists=bool(resisting), managers=managers or now.managers)

    def conditions(self, key: ServiceKey) -> tuple[Condition, ...]:
        """What people are told; nothing where nobody writes against us."""
        self._forget_old(key)
        real = sorted((name, each) for name, each in self._known.get(key, {}).items() if each.real)
        if not real:
            return ()
        message = "; ".join(_sentence(name, contest) for name, contest in real)
        return (Condition(CONTESTED, "True", Reason.FIELDS_OVERWRITTEN, message),)

    def recheck_after(self, key: ServiceKey) -> float | None:
        """Seconds until a try is due, or all may be forgotten; None where there is nothing to look at."""
        contests = [each for each in self._known.get(key, {}).values() if each.real]
        now = self._now()
        return min((max(1.0, each.due() - now) for each in contests), default=None)

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._known.pop(key, None)

    def _forget_old(self, key: ServiceKey) -> None:
        known, now = self._known.get(key, {}), self._now()
        for name in [name for name, contest in known.items() if contest.over(now)]:
            del known[name]
        if not known:
            self._known.pop(key, None)


def _name(action: Action) -> str:
    return f"{action.manifest['kind']} {action.manifest['metadata']['name']}"


def _wanted(action: Action) -> str:
    return str(action.manifest["metadata"]["annotations"][SPEC_HASH_ANNOTATION])


def _sentence(name: str, contest: Contest) -> str:
    paths = sorted(contest.paths)
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    who = (
        " and ".join(contest.managers)
        or "an admission webhook, or an API server that does not know the field"
    )
    return (
        f"{name}: {', '.join(paths[:_SHOWN])}{more} is kept otherwise by {who}; tidegate writes it again "
        "ever more rarely. Have the other writer leave it alone"
    )
