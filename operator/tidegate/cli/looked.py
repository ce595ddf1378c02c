"""What a ``tidegate up`` tells of a service, as the views want to see it."""

from __future__ import annotations

from dataclasses import fields

from tidegate.domain.loose import Json
from tidegate.domain.scaling import Load
from tidegate.local.asking.wire import Told
from tidegate.views.seen import Seen


def seen_of(told: Told, now: float) -> Seen:
    """As exact as a look at a cluster that asks its gateways too."""
    return Seen(
        service=told.service,
        now=now,
        deployment=told.deployment,
        pods=told.pods,
        load=_load(told.load),
        here=True,
    )


def _load(told: Json) -> Load:
    """What this release knows of it."""
    known = {each.name for each in fields(Load)}
    return Load(**{name: value for name, value in told.items() if name in known})
