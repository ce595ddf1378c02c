"""How long a command waits for the process that it asks."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tidegate.local.asking import client
from tidegate.local.asking.client import ControlClient, SilentError
from tidegate.local.state.state_folder import held

SECONDS = 60.0
BEGIN = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"up": {}, "items": [], "now": 1, "line": "ending"}\n'


@pytest.mark.parametrize("question", ["services", "watch", "down"])
async def test_one_that_takes_a_question_and_does_not_begin_to_answer_is_told_as_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    monkeypatch.setattr(client, "_ANSWER_SECONDS", 0.1)
    asked = ControlClient(tmp_path)
    ask = {
        "services": asked.services,
        "watch": lambda: next(asked.watch()),
        "down": lambda: next(asked.down()),
    }
    monkeypatch.chdir(tmp_path)  # a socket's path has 107 bytes at most
    with held(tmp_path), socket.socket(socket.AF_UNIX) as listener:
        listener.bind("control.sock")
        listener.listen()
        async with asyncio.timeout(SECONDS):
            asking = asyncio.create_task(asyncio.to_thread(ask[question]))
            done, _ = await asyncio.wait([asking], timeout=SECONDS / 2)
            listener.close()
            with pytest.raises(SilentError, match="does not answer: end it with kill -9"):
                await asking
    assert done


@pytest.mark.parametrize("question", ["watch", "down"])
def test_one_that_has_begun_to_answer_may_take_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(SECONDS)
        monkeypatch.setattr(client, "_connect", lambda *_: ours)
        theirs.sendall(BEGIN)
        asked = ControlClient(tmp_path)
        answers = asked.watch() if question == "watch" else asked.down()
        next(iter(answers))
        assert ours.gettimeout() is None
