"""A service's life with real processes, and clients that get their answers meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.component.local.node_harness import processes_of, until
from tests.component.local.supervised import Stack, simulated, supervised

SLEEPY = {"idleTimeoutSeconds": 1}
AWAKE = {"idleTimeoutSeconds": 600}


def started(stack: Stack, count: int) -> bool:
    """Whether it has started so often; that it is Running may be over before it is looked at."""
    return bool(stack.status.get("coldStarts", {}).get("count") == count)


async def test_a_request_starts_a_process_and_is_answered_and_idleness_ends_it(tmp_path: Path) -> None:
    async with supervised(tmp_path, simulated(scaling=SLEEPY)) as stack:
        await until(lambda: stack.status.get("phase") == "Idle")
        for count in (1, 2):
            assert (await stack.ask()).status_code == 200
            await until(partial(started, stack, count))
            await until(lambda: stack.status["phase"] == "Idle" and not stack.processes)
            starts = stack.status["coldStarts"]
            assert float(starts["lastSeconds"]) > 0
            assert set(starts["parts"]) >= {"scheduling", "container", "engineAndLoad", "firstByte"}


async def test_a_worker_that_is_killed_is_begun_again_and_the_next_request_is_answered(
    tmp_path: Path,
) -> None:
    async with supervised(tmp_path, simulated(scaling=AWAKE)) as stack:
        assert (await stack.ask()).status_code == 200
        (pid,) = stack.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: stack.pids and stack.pids != [pid])
        assert (await stack.ask()).status_code == 200


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """None of its processes outlives the test, whatever becomes of it."""
    yield tmp_path
    for pid in processes_of(tmp_path / "state"):
        os.kill(pid, signal.SIGKILL)


async def test_a_second_supervisor_takes_over_the_process_and_all_that_was_known(folder: Path) -> None:
    async with supervised(folder, simulated(scaling=AWAKE), leave=True) as stack:
        assert (await stack.ask()).status_code == 200
        await until(lambda: stack.status["phase"] == "Running" and "parts" in stack.status["coldStarts"])
        before, pids = stack.status, stack.pids
    async with supervised(folder, simulated(scaling=AWAKE)) as stack:
        assert (await stack.ask()).status_code == 200
        assert stack.pids == pids, "it was not started again"
        assert stack.status["coldStarts"] == before["coldStarts"]
        assert stack.status["scaling"] == before["scaling"]


async def test_requests_that_meet_a_changed_spec_are_held_and_answered(tmp_path: Path) -> None:
    async with supervised(tmp_path, simulated(scaling=AWAKE)) as stack:
        assert (await stack.ask()).status_code == 200
        before, answers = stack.pids, list[Any]()
        stack.write(simulated("--engine-tokens-per-second", "50", scaling=AWAKE))

        async def ask_on() -> None:
            while stack.pids == before or len(answers) < 20:
                answers.append((await stack.ask()).status_code)
                await asyncio.sleep(0.02)

        await asyncio.wait_for(ask_on(), 120)
        assert set(answers) == {200}
        await until(lambda: stack.status["phase"] == "Running" and stack.status["observedGeneration"] == 1)


async def test_why_an_engine_fails_at_its_start_is_told_and_its_correction_serves(tmp_path: Path) -> None:
    failing = simulated(
        scaling=SLEEPY, engine={"env": [{"name": "ENGINE_FAIL", "value": "ModelNotFound: no such model"}]}
    )
    async with supervised(tmp_path, failing) as stack:
        asked = asyncio.create_task(stack.ask())
        await until(lambda: stack.reason() == "ModelNotFound" or stack.status.get("phase") == "Failed")
        stack.write(simulated(scaling=SLEEPY))
        assert (await asyncio.wait_for(asked, 120)).status_code == 200
