"""Following a collection through everything that a watch can do, against a scripted API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tidegate.kube.client import KubeClient, WatchEvent
from tidegate.kube.errors import ForbiddenError, GoneError, KubeError, UnreachableError
from tidegate.kube.reflector import Chance, Collection, Pace, Reflector

CUT = UnreachableError("GET /things: no connection (reset)")
GONE = GoneError(410, "Expired", "too old resource version")


class ScriptEndError(Exception):
    """The script has been played to its end."""


@dataclass
class ScriptedServer:
    """Answers lists and watches from a script; each watch is its events and then an error or a good end."""

    lists: list[Any]
    watches: list[tuple[Sequence[WatchEvent], KubeError | None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def list_all(self, _path: str, **_: object) -> tuple[list[Any], str]:
        self.asked.append("list")
        if not self.lists:
            raise ScriptEndError
        answer = self.lists.pop(0)
        if isinstance(answer, KubeError):
            raise answer
        return cast(tuple[list[Any], str], answer)

    async def watch(self, _path: str, version: str, **_: object) -> AsyncGenerator[WatchEvent, None]:
        self.asked.append(f"watch {version}")
        if not self.watches:
            raise ScriptEndError
        events, end = self.watches.pop(0)
        for event in events:
            yield event
        if end:
            raise end


class Copy:
    """A mirror that remembers."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def listed(self, items: list[Any]) -> None:
        self.log.append(f"listed {items}")

    def changed(self, event: WatchEvent) -> None:
        self.log.append(f"{event.type} {event.resource_version}")


def event(kind: str, version: int) -> WatchEvent:
    return WatchEvent(kind, {"metadata": {"resourceVersion": str(version)}})


async def play(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, pace: Pace | None = None
) -> tuple[Copy, list[float]]:
    """Runs a reflector to the end of the script; its mirror, and the seconds that it would have slept."""
    slept: list[float] = []

    async def no_sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    copy = Copy()
    clock = iter(range(0, 100_000, 10))  # every look at the clock is ten seconds later
    chance = Chance(monotonic=lambda: float(next(clock)), jitter=lambda _, high: high)
    reflector = Reflector(
        cast(KubeClient, server), Collection("/things"), copy, pace=pace or Pace(relist=1e6), chance=chance
    )
    with pytest.raises(ScriptEndError):
        await reflector.run()
    return copy, slept


async def test_a_cut_watch_is_resumed_after_its_last_event(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer([([], "5")], [([event("ADDED", 6), event("MODIFIED", 8)], CUT)])
    copy, _ = await play(server, monkeypatch)
    assert server.asked == ["list", "watch 5", "watch 8"]
    assert copy.log == ["listed []", "ADDED 6", "MODIFIED 8"]


async def test_a_bookmark_moves_the_place_to_resume_and_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer([([], "5")], [([event("BOOKMARK", 90)], None)])
    copy, _ = await play(server, monkeypatch)
    assert server.asked[-1] == "watch 90"
    assert copy.log == ["listed []"]


async def test_a_watch_that_is_too_old_leads_to_a_new_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer([(["a", "b"], "5"), (["b"], "70")], [([], GONE)])
    copy, slept = await play(server, monkeypatch)
    assert server.asked == ["list", "watch 5", "list", "watch 70"]
    assert copy.log == ["listed ['a', 'b']", "listed ['b']"]
    assert slept == []


async def test_it_lists_anew_when_it_is_time_though_nothing_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer([([], "5"), ([], "9")], [([], None)] * 3)
    await play(server, monkeypatch, Pace(relist=45))
    assert server.asked == ["list", "watch 5", "watch 5", "list", "watch 9", "watch 9"]


async def test_failures_are_tried_again_ever_more_slowly_and_one_success_forgets_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ScriptedServer([CUT] * 8 + [([], "5")], [([], CUT), ([event("ADDED", 6)], CUT)])
    _, slept = await play(server, monkeypatch)
    assert slept == [0.5, 1, 2, 4, 8, 16, 20, 20, 0.5, 0.5]


async def test_the_same_complaint_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = ForbiddenError(403, "Forbidden", "things is forbidden")
    with caplog.at_level(logging.INFO):
        await play(ScriptedServer([refused] * 5 + [([], "5")]), monkeypatch)
    assert len([record for record in caplog.records if "things is forbidden" in record.getMessage()]) == 1
    assert "answers again" in caplog.records[-1].getMessage()


async def test_a_server_that_ends_each_watch_at_once_is_not_asked_in_a_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, slept = await play(
        ScriptedServer([([], "5")], [([], None)] * 3), monkeypatch, Pace(relist=1e6, short_watch=60)
    )
    assert slept == [0.5, 1, 2]
