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
        contests, name = self._known.get(key, {}), _name(action)
        known = contests.get(name)
        if known is None or known.wanted != _wanted(action):
            return 0.0
        seconds = max(0.0, known.due() - self._now())
        contests[name] = replace(known, held=seconds > 0)
        return seconds

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
        resists = bool(resisting)
        known[_name(action)] = replace(now, resists=resists, held=resists, managers=managers or now.managers)

    def conditions(self, key: ServiceKey) -> tuple[Condition, ...]:
        """What people are told; nothing where nobody writes against us."""
        self._forget_old(key)
        real = sorted((name, each) for name, each in self._known.get(key, {}).items() if each.real)
        if not real:
            return ()
        message = "; ".join(_sentence(name, contest) for name, contest in real)
        return (Condition(CONTESTED, "True", Reason.FIELDS_OVERWRITTEN, message),)

    def recheck_after(self, key: ServiceKey) -> float | None:
        """Seconds until a try is due that this pass held back, or one may be forgotten; None: neither.

        Once a pass, at its end.
        """
        known, now = self._known.get(key, {}), self._now()
        rests = [each.rest(now) for each in known.values() if each.real]
        known.update({name: replace(each, held=False) for name, each in known.items()})  # the next pass tells
        return min(rests, default=None)

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
