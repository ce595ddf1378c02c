"""Writes beside the event loop: ordered, the latest wins, and none is lost."""

from __future__ import annotations

import threading

import pytest

from tidegate.local.latest_writes import LatestWrites

SECONDS = 60.0


async def test_of_those_that_wait_only_the_latest_is_done() -> None:
    writes, done, go = LatestWrites("test"), list[str](), threading.Event()

    def first() -> None:
        go.wait(SECONDS)
        done.append("first")

    writes.put("first", first)
    for each in ("old", "older", "latest"):
        writes.put("chat", lambda each=each: done.append(each))  # type: ignore[misc]
    writes.put("other", lambda: done.append("other"))
    assert done == []
    go.set()
    await writes.done()
    assert done == ["first", "latest", "other"]
    writes.close()


async def test_one_that_fails_is_told_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    writes, done = LatestWrites("test"), list[str]()

    def fail() -> None:
        raise ValueError("odd")

    writes.put("chat", fail)
    writes.put("other", lambda: done.append("other"))
    await writes.done()
    writes.close()
    assert done == ["other"]
    assert "chat cannot be written" in caplog.text


async def test_where_no_thread_can_be_had_it_is_done_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    writes, done = LatestWrites("test"), list[str]()
    writes.put("chat", lambda: done.append("chat"))
    assert done == ["chat"]
    await writes.done()


def test_all_are_done_when_it_is_closed() -> None:
    writes, done = LatestWrites("test"), list[int]()
    for number in range(50):
        writes.put(number, lambda number=number: done.append(number))  # type: ignore[misc]
    writes.close()
    assert done == list(range(50))
