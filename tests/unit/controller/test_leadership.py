"""One replica's leadership over a Lease in memory: what acts when, and what is written last."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from tests.component.kube.wire import eventually
from tidegate.controller.leadership import END_BUDGET, Leadership, LeadershipSettings
from tidegate.domain.lease import LeaseRecord, LeaseTimes
from tidegate.kube.errors import ConflictError, NotLeaderError, UnreachableError
from tidegate.kube.lease import LeaseClient

TIMES = LeaseTimes(
    duration=600, renew_deadline=400, retry=0.1, call=60, absent=0.1
)  # nothing runs out on a busy machine
SHORT = LeaseTimes(duration=1.0, renew_deadline=0.7, retry=0.1, call=0.25, absent=0.1)


class MemoryLease(LeaseClient):
    """A Lease without an API server, that can be cut off."""

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.holders: list[str] = []
        self.cut = False
        self._released = asyncio.Event()

    async def read(self) -> LeaseRecord | None:
        self._reach()
        return self.record

    async def acquire(
        self, based_on: LeaseRecord, holder: str, duration: float, transitions: int
    ) -> LeaseRecord:
        return self._written(based_on, holder, duration, transitions)

    async def renew(self, based_on: LeaseRecord) -> LeaseRecord:
        return self._written(based_on, based_on.holder, based_on.duration)

    async def release(self, based_on: LeaseRecord) -> LeaseRecord:
        written = self._written(based_on, "", 1.0)
        self._released.set()
        return written

    async def releases(self, since: LeaseRecord) -> AsyncGenerator[None, None]:
        while not self.record or self.record.version == since.version:
            await self._released.wait()
            self._released.clear()
        yield

    def _reach(self) -> None:
        if self.cut:
            raise UnreachableError("cut off")

    def _written(
        self, based_on: LeaseRecord, holder: str, duration: float, transitions: int = 0
    ) -> LeaseRecord:
        self._reach()
        version = self.record.version if self.record else ""
        if version != based_on.version:
            raise ConflictError(409, "Conflict", "stale")
        self.holders.append(holder)
        self.record = LeaseRecord(holder, str(len(self.holders)), duration, transitions)
        return self.record


class Replica:
    """A leadership that runs, and whether its work does."""

    def __init__(self, lease: MemoryLease, name: str, times: LeaseTimes) -> None:
        self.leadership = Leadership(lease, LeadershipSettings(name, times))
        self.acting = False
        self.task = asyncio.create_task(self.leadership.run(self.act))

    async def act(self) -> None:
        self.acting = True
        try:
            await asyncio.Event().wait()
        finally:
            self.acting = False

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def lease() -> MemoryLease:
    return MemoryLease()


@contextlib.asynccontextmanager
async def replica(lease: MemoryLease, name: str, times: LeaseTimes = TIMES) -> AsyncIterator[Replica]:
    running = Replica(lease, name, times)
    try:
        yield running
    finally:
        await running.end()


async def test_a_write_is_refused_before_it_leads_and_allowed_while_it_does(lease: MemoryLease) -> None:
    async with replica(lease, "a") as one:
        with pytest.raises(NotLeaderError):
            one.leadership.check()
        assert not one.leadership.acts
        await eventually(lambda: one.acting, "it acts")
        assert one.leadership.acts
        with one.leadership.writing():
            one.leadership.check()
    with pytest.raises(NotLeaderError):
        one.leadership.check()


async def test_at_its_end_the_lease_is_released_and_the_other_one_takes_it(lease: MemoryLease) -> None:
    async with replica(lease, "a") as one:
        await eventually(lambda: one.acting, "it acts")
        async with replica(lease, "b") as two:
            await one.end()
            assert not one.acting
            await eventually(lambda: two.acting, "the other one acts")
            assert lease.holders[lease.holders.index("") + 1] == "b"


async def test_the_lease_is_released_only_after_the_writes_under_way_have_ended(lease: MemoryLease) -> None:
    async with replica(lease, "a") as one:
        await eventually(lambda: one.acting, "it acts")
        with one.leadership.writing():
            end = asyncio.create_task(one.end())
            await eventually(lambda: not one.leadership.leads, "it begins nothing any more")
            assert "" not in lease.holders
        await end
        assert lease.holders[-1] == ""


async def test_after_a_write_without_an_answer_the_lease_is_left_to_run_out(lease: MemoryLease) -> None:
    async with replica(lease, "a") as one:
        await eventually(lambda: one.acting, "it acts")
        with pytest.raises(UnreachableError), one.leadership.writing():
            raise UnreachableError("no answer")
        await one.end()
    assert "" not in lease.holders


async def test_who_is_cut_off_stops_acting_and_acts_again_when_it_is_not(lease: MemoryLease) -> None:
    async with replica(lease, "a", SHORT) as one:
        await eventually(lambda: one.acting, "it acts")
        lease.cut = True
        await eventually(lambda: not one.leadership.leads, "it knows that it may not act")
        await eventually(lambda: not one.acting, "its work has ended")
        assert not one.task.done()
        lease.cut = False
        await eventually(lambda: one.acting, "it acts again")


async def test_a_lease_that_was_taken_by_force_ends_it_at_the_next_renewal(lease: MemoryLease) -> None:
    async with replica(lease, "a") as one:
        await eventually(lambda: one.acting, "it acts")
        lease.record = LeaseRecord("retire", "999", 3600.0)
        await eventually(lambda: not one.acting, "its work has ended")
        with pytest.raises(NotLeaderError):
            one.leadership.check()


async def test_work_that_fails_is_the_end_of_the_replica(lease: MemoryLease) -> None:
    async def fail() -> None:
        raise ValueError("a defect")

    leadership = Leadership(lease, LeadershipSettings("a", TIMES))
    with pytest.raises(ValueError, match="a defect"):
        await asyncio.wait_for(leadership.run(fail), 60)
    assert lease.holders[-1] == ""


async def test_a_machine_that_stands_still_while_the_work_ends_is_not_taken_for_work_that_does_not_end(
    lease: MemoryLease,
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def act() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            time.sleep(END_BUDGET + 0.5)  # noqa: ASYNC251  the whole process stands still
            for _ in range(10):  # as many steps as it takes to end the tasks of tasks
                await asyncio.sleep(0)
            ended.set()

    leadership = Leadership(lease, LeadershipSettings("a", TIMES))
    running = asyncio.create_task(leadership.run(act))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()
    assert lease.holders[-1] == ""


async def test_work_that_does_not_end_is_the_end_of_the_replica(lease: MemoryLease) -> None:
    stubborn, over = asyncio.Event(), asyncio.Event()

    async def act() -> None:
        while not over.is_set():
            stubborn.set()
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    leadership = Leadership(lease, LeadershipSettings("a", TIMES))
    running = asyncio.create_task(leadership.run(act))
    await stubborn.wait()
    running.cancel()
    with pytest.raises(RuntimeError, match="has not ended within 2 s"):
        await running
    over.set()
    assert "" not in lease.holders
