"""What an autoscaler sees, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tidegate.domain.scaling import Load


@dataclass(slots=True)
class Scene:
    """The service at one moment; times in seconds."""

    now: float
    replicas: int  # what is asked for
    ready: int
    starting: int
    newest_ready: float | None  # since when the worker is ready that became so last
    newest_start: float | None  # when the worker was created that still starts and is the newest
    oldest: float  # when the oldest worker was created; 0 for none
    start_seconds: float | None  # how long the last start from zero took
    reported: Load  # what the gateway told last
    depth: int  # requests that wait or run at this moment
    depth_seconds: float  # the integral of depth over time so far: what an average is made of


@dataclass(frozen=True, slots=True)
class Ask:
    """So many workers; ``after``: seconds until it wants to look again, None: when something changes."""

    replicas: int
    after: float | None = None


class Autoscaler(Protocol):
    """A policy. ``hears``: it looks at every report of the gateway and whenever a worker becomes ready or is
    gone; otherwise only when it wants to."""

    name: str
    hears: bool
    initial: int  # workers that are ready from the first moment

    def look(self, scene: Scene) -> Ask:
        """How many workers there should be."""
        ...

    def wake(self, scene: Scene) -> int:
        """A request waits and there is no worker: how many are started for it at once; 0: none."""
        ...
