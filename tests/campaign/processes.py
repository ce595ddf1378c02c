"""Operators that are started, watched and killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.component.kube.wire import eventually


@dataclass(frozen=True)
class Operator:
    """One operator's process."""

    pid: int
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return Path(f"/proc/{self.pid}/cmdline").exists()

    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await eventually(lambda: not self.alive, "the operator's process is gone")


class Zygote:
    """Forks operators; see zygote.py."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lock = asyncio.Lock()

    async def start(self, kubeconfig: Path, log: Path, settings: dict[str, Any]) -> Operator:
        """A new operator, which may not be ready yet."""
        order = {"settings": settings, "kubeconfig": str(kubeconfig), "log": str(log)}
        async with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that forks operators has ended")
        return Operator(int(answer), log)


@asynccontextmanager
async def zygote() -> AsyncIterator[Zygote]:
    """A running one; every operator that it forked is gone after the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.campaign.zygote"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Zygote(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
