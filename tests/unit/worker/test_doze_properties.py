"""Whatever comes, in whatever order and time: nothing runs in an engine that sleeps, and nothing is lost.

The false engine and application complain themselves (dozing.py): of a request that reaches an engine
which is not awake, of a sleep while something runs, of two calls at once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.worker.dozing import AFTER, BUDGET, Server
from tests.unit.worker.fast_loop import run_fast
from tidegate_worker.sleeper import State
from tidegate_worker.sleeping import Rhythm


@dataclass(frozen=True)
class Request:
    """Comes ``after`` the one before it, runs for ``seconds``, and its client leaves after ``patience``."""

    after: float
    seconds: float
    patience: float


times = st.floats(0, 3 * AFTER) | st.sampled_from([0.0, AFTER])
requests = st.lists(st.builds(Request, times, times, st.just(1e9) | times), max_size=12)
calls = st.floats(0, AFTER) | st.just(0.0)  # seconds that each call to the engine takes


async def meet(server: Server, number: int, request: Request) -> int | None:
    """The status of its answer, None where its client left before."""
    asyncio.get_running_loop().call_later(request.seconds, server.end, number)
    try:
        async with asyncio.timeout(request.patience):
            return await server.ask(number)
    except TimeoutError:
        return None


async def meet_all(server: Server, plan: list[Request]) -> list[int | None]:
    meetings = []
    for number, request in enumerate(plan):
        await asyncio.sleep(request.after)
        meetings.append(asyncio.create_task(meet(server, number, request)))
    return list(await asyncio.gather(*meetings))


@given(requests, calls, st.sampled_from([1, 2]))
def test_every_client_that_stays_is_answered_and_then_the_engine_sleeps(
    plan: list[Request], seconds: float, level: int
) -> None:
    server = Server(Rhythm(AFTER, level, BUDGET))
    server.engine.seconds = seconds

    async def live() -> list[int | None]:
        async with server:
            ends = await meet_all(server, plan)
            await asyncio.sleep(2 * AFTER + 5 * seconds)
            assert server.doze.sleeper is not None
            assert server.doze.sleeper.state is State.ASLEEP
            return ends

    ends = run_fast(live())
    assert all(end == 200 for end, request in zip(ends, plan, strict=True) if request.patience == 1e9)
    assert server.failures == []
    steps = [asked for asked in server.engine.asked if asked.startswith(("sleep", "wake all", "wake kv"))]
    assert all(step.startswith("sleep") == (at % 2 == 0) for at, step in enumerate(steps))


@given(requests, calls, st.integers(0, 4), st.sampled_from([1, 2]))
def test_after_a_failure_every_client_is_refused_and_the_engine_is_asked_for_nothing_more(
    plan: list[Request], seconds: float, good: int, level: int
) -> None:
    server = Server(Rhythm(AFTER, level, BUDGET))
    server.engine.seconds, server.engine.good = seconds, good

    async def live() -> list[int | None]:
        async with server:
            ends = await meet_all(server, plan)
            await asyncio.sleep(2 * AFTER + 5 * seconds)
            return ends

    ends = run_fast(live())
    assert all(end in (200, 503) for end, request in zip(ends, plan, strict=True) if request.patience == 1e9)
    assert len(server.engine.asked) <= good + 1
    assert len(server.failures) == (len(server.engine.asked) == good + 1)
    assert (503 in ends) <= bool(server.failures)
