"""Two operators before one API server: one acts, the other one takes over, and never do both write."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.harness import (
    Operator,
    World,
    api_proxy,
    played_parts,
    running_operator,
)
from tidegate.devcluster import ApiServer
from tidegate.kube.client import KubeClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def replicas(server: ApiServer, kube: KubeClient, folder: Path) -> AsyncIterator[list[Operator]]:
    """Two of them, each behind a proxy of its own, the leader first."""
    async with (
        played_parts(kube) as (_, _, settings),
        api_proxy(server) as first,
        api_proxy(server) as second,
        running_operator(first, folder, seconds=60, **settings) as one,
        running_operator(second, folder, seconds=60, **settings) as two,
    ):
        pair = [one, two]
        await eventually(lambda: _one_leads(pair), "one leads", seconds=30)
        yield pair if await leads(one) else pair[::-1]


async def leads(operator: Operator) -> bool:
    """What it says of itself."""
    return "tidegate_leader 1.0" in await operator.metrics()


async def _one_leads(pair: list[Operator]) -> bool:
    return [await leads(each) for each in pair].count(True) == 1


async def test_after_kill_9_the_other_one_finishes_what_was_begun(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with replicas(server, kube, tmp_path) as (leader, standby):
        await world.create("half-made")
        await eventually(lambda: bool(leader.writes), "the leader has begun")
        leader.process.send_signal(signal.SIGKILL)
        died = time.monotonic()
        await eventually(lambda: leads(standby), "the standby leads", seconds=30)
        await world.phase("half-made", "Idle", seconds=30)
        with capsys.disabled():
            print(f"\nkill -9: the standby's first write of the Lease after {_taken(standby) - died:.1f} s")
        assert _taken(standby) - died < 15  # the promise; 10 s and at most 2 s until it is seen make 12
        await leader.process.wait()


async def test_after_sigterm_the_other_one_leads_at_once(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with replicas(server, kube, tmp_path) as (leader, standby):
        await world.create("steady")
        await world.phase("steady", "Idle", seconds=30)
        leader.process.send_signal(signal.SIGTERM)
        ended = time.monotonic()
        await eventually(lambda: leads(standby), "the standby leads", seconds=9)  # 10 without a release
        await world.create("next")
        await world.phase("next", "Idle", seconds=30)
        with capsys.disabled():
            print(f"\nSIGTERM: the standby's first write of the Lease after {_taken(standby) - ended:.1f} s")
        assert leader.proxy.lease_writes[-1].at <= _taken(standby)
        assert max((write.at for write in leader.writes), default=0.0) <= leader.proxy.lease_writes[-1].at


async def test_a_leader_that_is_cut_off_writes_nothing_once_another_one_leads(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with replicas(server, kube, tmp_path) as (leader, standby):
        await world.create("known")
        await world.phase("known", "Idle", seconds=30)
        leader.proxy.cut_off()
        await eventually(lambda: _stepped_down(leader), "it knows that it may not act", seconds=30)
        assert not standby.proxy.lease_writes
        await eventually(lambda: leads(standby), "the standby leads", seconds=30)
        await world.create("meanwhile")
        await world.phase("meanwhile", "Idle", seconds=30)
        written = len(leader.writes)
        leader.proxy.restore()
        await world.create("after")
        await world.phase("after", "Idle", seconds=30)
        await eventually(lambda: _hear_the_same(leader, standby), "it goes on as a standby", seconds=30)
        assert leader.writes[written:] == []
        assert await leads(standby)
        assert not await leads(leader)
        assert leader.process.returncode is None


async def test_a_steady_state_of_two_costs_no_write_and_neither_does_a_takeover(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with replicas(server, kube, tmp_path) as (leader, standby):
        for number in range(5):
            await world.create(f"quiet-{number}")
        for number in range(5):
            await world.phase(f"quiet-{number}", "Idle", seconds=30)
        await leader.settled()
        before = len(leader.writes)
        await _renewals(leader, 4)
        assert leader.writes[before:] == []
        assert standby.writes == []
        assert standby.proxy.lease_writes == []
        leader.process.send_signal(signal.SIGTERM)
        await leader.process.wait()
        await _renewals(standby, 3)
        assert standby.writes == []
        assert "Traceback" not in leader.log.read_text() + standby.log.read_text()


def _taken(operator: Operator) -> float:
    return operator.proxy.lease_writes[0].at


async def _renewals(operator: Operator, times: int) -> None:
    """Returns when it has renewed the Lease so many times more."""
    enough = len(operator.proxy.lease_writes) + times
    await eventually(lambda: len(operator.proxy.lease_writes) >= enough, "it leads, and renews", seconds=60)


async def _stepped_down(operator: Operator) -> bool:
    return not await leads(operator)


async def _hear_the_same(one: Operator, other: Operator) -> bool:
    return await _known(one) == await _known(other)


async def _known(operator: Operator) -> list[str]:
    return [line for line in (await operator.metrics()).splitlines() if line.startswith("tidegate_services ")]
