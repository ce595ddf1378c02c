from __future__ import annotations

import asyncio

import pytest

from tidegate.controller.lifetimes import finished, first, until


class Ends:
    """Parts that note in which order they end."""

    def __init__(self) -> None:
        self.order: list[str] = []

    async def part(self, name: str, takes: int = 0) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(takes):
                await asyncio.sleep(0)
            self.order.append(name)


async def test_the_leader_has_ended_before_a_part_is_cut_off_that_it_may_wait_for() -> None:
    ends, stop = Ends(), asyncio.Event()
    leader, parts = ends.part("leader", takes=50), [ends.part("a"), ends.part("b")]
    running = asyncio.create_task(until(stop, leader, parts))
    await asyncio.sleep(0)
    stop.set()
    await running
    assert ends.order[0] == "leader"
    assert sorted(ends.order[1:]) == ["a", "b"]


async def test_a_part_that_fails_ends_the_leader_too() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    ends = Ends()
    with pytest.raises(ExceptionGroup) as caught:
        await until(asyncio.Event(), ends.part("leader"), [fail()])
    assert str(first(caught.value)) == "broken"


async def test_a_leader_that_fails_ends_the_parts_too() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    ends = Ends()
    with pytest.raises(ExceptionGroup):
        await until(asyncio.Event(), fail(), [ends.part("a")])
    assert ends.order == ["a"]


async def test_work_is_cut_off_when_it_is_told_to_stop_first() -> None:
    ends, stop = Ends(), asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    assert not await finished(ends.part("work"), stop)
    assert ends.order == ["work"]
