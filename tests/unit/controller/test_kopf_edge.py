"""kopf's end is never the operator's, whatever it ends with."""

from __future__ import annotations

import asyncio

import kopf
import pytest

from tests.component.kube.wire import eventually
from tidegate.controller.kopf_edge import KopfSettings, run_kopf


@pytest.mark.parametrize("end", [RuntimeError("odd"), asyncio.CancelledError(), None])
async def test_whatever_kopf_ends_with_it_is_begun_anew(
    monkeypatch: pytest.MonkeyPatch, end: BaseException | None
) -> None:
    starts = 0

    async def ends(**_: object) -> None:
        nonlocal starts
        starts += 1
        if end is not None:
            raise end

    monkeypatch.setattr(kopf, "operator", ends)
    settings = KopfSettings(retry=0.01, retry_limit=0.01)
    task = asyncio.create_task(run_kopf(kopf.OperatorRegistry(), settings))
    try:
        await eventually(lambda: starts >= 3, "kopf is begun a third time", seconds=10)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
