import asyncio
import random
from collections import Counter

import pytest

from tests.component.kube.wire import eventually
from tidegate.control.queue import Backoff, KeyedQueue


@pytest.fixture
def queue() -> KeyedQueue[str]:
    return KeyedQueue()


async def test_a_key_that_is_added_twice_is_taken_once(queue: KeyedQueue[str]) -> None:
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.take(), await queue.take()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_that_is_added_while_it_runs_runs_again_afterwards(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.take()
    queue.add("a")
    queue.add("a")
    waiting = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done("a")
    assert await asyncio.wait_for(waiting, 60) == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_of_two_delays_the_shorter_one_holds(queue: KeyedQueue[str]) -> None:
    queue.add_after("a", 30)
    queue.add_after("a", 0.01)
    queue.add_after("a", 20)
    assert await asyncio.wait_for(queue.take(), 60) == "a"


async def test_an_event_makes_a_delay_needless(queue: KeyedQueue[str]) -> None:
    queue.add_after("a", 0.02)
    queue.add("a")
    await queue.take()
    queue.done("a")
    await asyncio.sleep(0.05)
    assert len(queue) == 0


async def test_a_closed_queue_has_no_timers_left(queue: KeyedQueue[str]) -> None:
    queue.add_after("a", 0.01)
    queue.close()
    await asyncio.sleep(0.03)
    assert len(queue) == 0


async def test_no_key_is_ever_worked_on_twice_at_once_and_none_is_lost(queue: KeyedQueue[str]) -> None:
    chance, running, passes = random.Random(7), Counter[str](), Counter[str]()  # noqa: S311
    keys = [f"k{number}" for number in range(8)]
    last_seen, version = dict.fromkeys(keys, 0), dict.fromkeys(keys, 0)

    async def work() -> None:
        while True:
            key = await queue.take()
            running[key] += 1
            assert running[key] == 1
            last_seen[key] = version[key]
            await asyncio.sleep(chance.random() / 1000)
            running[key] -= 1
            passes[key] += 1
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for _ in range(500):
        key = chance.choice(keys)
        version[key] += 1
        queue.add(key) if chance.random() < 0.7 else queue.add_after(key, chance.random() / 1000)
        if chance.random() < 0.2:
            await asyncio.sleep(0.001)
    await eventually(lambda: last_seen == version and not +running, "all is worked on")
    assert not any(worker.done() for worker in workers)
    for worker in workers:
        worker.cancel()
    assert last_seen == version
    assert sum(passes.values()) < 500


def test_failures_wait_longer_each_time_up_to_a_limit_and_a_success_forgets_them() -> None:
    backoff = Backoff[str](jitter=lambda _low, high: high)
    assert [backoff.failed("a") for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.failed("b") == 0.5
    backoff.succeeded("a")
    assert backoff.failed("a") == 0.5
