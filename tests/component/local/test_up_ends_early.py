"""A `tidegate up` that is told to end before it serves."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.component.local.waiting import SECONDS
from tidegate.cli.local_up import UpSettings, up
from tidegate.gateway.settings import GatewaySettings
from tidegate.local.machine.node import Node
from tidegate.local.manifests.legacy_environment import Legacy


async def test_one_that_is_told_to_end_does_not_wait_for_what_a_predecessor_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    begun = asyncio.Event()

    async def hangs(_: Node) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Node, "open", hangs)
    gateway = GatewaySettings(listen_host="127.0.0.1", listen_port=0, admin_host="127.0.0.1", admin_port=0)
    settings = UpSettings((str(tmp_path),), tmp_path / "state", tmp_path / "root", gateway, 10, Legacy())
    running = asyncio.create_task(up(settings))
    async with asyncio.timeout(SECONDS):
        await begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)  # it listens to it by now
        assert await running == 0
    assert "ended before it had taken over" in capfd.readouterr().err
