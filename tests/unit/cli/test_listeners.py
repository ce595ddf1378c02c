"""Whoever listens, and whoever leaves before."""

from __future__ import annotations

import gc
import weakref

from tests.unit.virtual_time import run
from tidegate.cli.listeners import Listeners


def test_one_that_leaves_before_it_has_listened_leaves_nothing() -> None:
    said = Said()
    held = weakref.ref(said)
    told: Listeners[Said] = Listeners()
    heard = told.heard()
    told.tell(said)
    del said, heard
    gc.collect()
    assert held() is None


def test_one_that_listens_hears_all_from_its_call_on() -> None:
    run(_hears())


class Said:
    """What can be looked for once nobody has it any more."""


async def _hears() -> None:
    listeners: Listeners[str] = Listeners()
    heard = listeners.heard()
    gc.collect()
    listeners.tell("a")
    listeners.tell("b")
    listeners.close()
    assert [each async for each in heard] == ["a", "b"]
    assert [each async for each in listeners.heard()] == []
