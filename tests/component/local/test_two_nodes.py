"""Two supervisors of one user on one machine, with a state folder each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.component.local.node_harness import PLENTY, machine, opened, script, until
from tidegate.local.machine.placing import Machine

WAIT = "import time; time.sleep(600)"


@pytest.fixture
def common(tmp_path: Path) -> dict[str, Any]:
    """What both are told: where they tell each other."""
    return {"environment": {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}}


async def test_neither_gives_a_core_or_a_device_that_the_other_gave(
    tmp_path: Path, common: dict[str, Any]
) -> None:
    core = max(os.sched_getaffinity(0))
    common |= {"machine": Machine(frozenset({core}), PLENTY, ("0",))}
    wants = {"exclusive": True, "devices": 1, "device_resource": "nvidia.com/gpu"}
    async with opened(tmp_path / "a", **common) as one, opened(tmp_path / "b", **common) as two:
        name = one.node.create(script(WAIT, **wants))
        await until(one.pid)
        two.node.create(script(WAIT, **wants))
        cause = two.facts()[0].cause
        assert cause is not None
        assert "it wants 1 core to itself, and of this machine's 1 too few are free" in cause.message
        assert "it wants 1 nvidia.com/gpu, and of this machine's 1 too few are free" in cause.message
        one.node.delete("default", name)
        await until(two.pid)


async def test_workers_that_share_leave_a_core_that_the_other_gave(
    tmp_path: Path, common: dict[str, Any]
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core cannot be shared and given")
    common |= {"machine": machine()}
    async with opened(tmp_path / "a", **common) as one, opened(tmp_path / "b", **common) as two:
        one.node.create(script(WAIT))
        shared = await until(one.pid)
        two.node.create(script(WAIT, exclusive=True))
        own = await until(two.pid)
        await until(lambda: not os.sched_getaffinity(shared) & os.sched_getaffinity(own))
        two.node.create(script(WAIT, exclusive=True, cores=len(os.sched_getaffinity(0)) - 1))
        cause = two.facts()[1].cause
        assert cause is not None, "one core stays with those that share, whosever they are"
        assert cause.reason == "Unschedulable"


async def test_a_successor_holds_what_its_predecessor_gave(tmp_path: Path, common: dict[str, Any]) -> None:
    core = max(os.sched_getaffinity(0))
    common |= {"machine": machine(frozenset({core}))}
    async with opened(tmp_path / "a", leave=True, **common) as one:
        one.node.create(script(WAIT, exclusive=True))
        await until(one.pid)
    async with opened(tmp_path / "a", **common), opened(tmp_path / "b", **common) as two:
        two.node.create(script(WAIT, exclusive=True))
        cause = two.facts()[0].cause
        assert cause is not None
        assert cause.reason == "Unschedulable"
