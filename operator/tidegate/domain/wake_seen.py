"""A wake is a sign of life: who raised a sleeping service to one worker has a request that waits for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tidegate.domain.scaling import Load

HEARD_WITHIN: Final = 5.0
"""Seconds after a wake within which its gateway's line has been heard, and the end of the pods before it:
lines come ten times a second. A service with a shorter idle timeout is kept for so long once it is woken."""


@dataclass(frozen=True, slots=True)
class WakeSeen:
    """When a service was seen to have workers again after it had none; Unix time.

    Deployments, pods and lines of demand come on different connections. A Deployment may say one while the
    worker of before still looks ready and idle, and the request that woke is not heard of yet: without this,
    what was just woken would be put to sleep again, and woken once more.
    """

    asleep: bool = False  # the last decision was that nobody works
    at: float | None = None  # None: no wake was seen

    def seen(self, replicas: int, now: float) -> WakeSeen:
        """One look later, at a Deployment that wants so many workers. (Where the API server refused the zero,
        somebody has changed the Deployment, and the clock begins anew as well.)"""
        return WakeSeen(at=now) if self.asleep and replicas else self

    def decided(self, replicas: int) -> WakeSeen:
        """After the decision for so many workers."""
        return replace(self, asleep=replicas == 0)

    def counted(self, load: Load, idle_timeout: float, now: float) -> Load:
        """The load with the wake as its latest activity, if it is. After ``now``: the clock was set back."""
        if self.at is None or self.at > now:
            return load
        latest = self.at + max(0.0, HEARD_WITHIN - idle_timeout)
        return replace(load, last_activity=max(latest, load.last_activity or 0.0))
