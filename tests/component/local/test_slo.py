"""SLOMet on one machine: from what the gateway counts of real requests to the condition of the service."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.component.local.node_harness import until
from tests.component.local.supervised import Stack, simulated, supervised
from tidegate.domain.slo import LEAST_REQUESTS
from tidegate.local.supervision import supervisor
from tidegate.local.supervision.slo import SloReader

PACE = ("--engine-tokens-per-second", "10")  # of four tokens: no request takes less than 0.3 s
AWAKE = {"idleTimeoutSeconds": 600}


def tide(slo: dict[str, str]) -> dict[str, Any]:
    return simulated(*PACE, scaling=AWAKE, slo=slo)


def met(stack: Stack) -> dict[str, Any]:
    """The condition; empty while there is none."""
    conditions = stack.status.get("conditions") or []
    return next((dict(each) for each in conditions if each["type"] == "SLOMet"), {})


async def test_it_is_unknown_then_false_where_requests_miss_a_target_and_true_where_they_meet_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SloReader", partial(SloReader, every=0.1))
    async with supervised(tmp_path, tide({"execP50Seconds": "0.1"})) as stack:
        assert (await stack.ask()).status_code == 200
        await until(lambda: met(stack).get("status") == "Unknown")
        assert met(stack)["reason"] == "TooFewRequests"
        answers = await asyncio.gather(*(stack.ask() for _ in range(LEAST_REQUESTS)))
        assert {answer.status_code for answer in answers} == {200}
        await until(lambda: met(stack)["status"] == "False")
        assert re.match(r"execP50Seconds [0-9.]+ > 0\.1", met(stack)["message"])
        stack.write(tide({"execP50Seconds": "600", "successRatio": "0.99"}))
        await until(lambda: met(stack)["status"] == "True")
        stack.write(simulated(*PACE, scaling=AWAKE))
        await until(lambda: not met(stack))
