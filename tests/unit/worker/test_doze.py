"""The engine sleeps when nothing has run for a while, and is awake before a request is passed on to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.worker.dozing import AFTER, BUDGET, WAKE_SECONDS, Server
from tests.unit.worker.fast_loop import run_fast
from tidegate_worker.drain import Drain
from tidegate_worker.failure import find_failure
from tidegate_worker.sleeping import Rhythm

LONG = AFTER + 10 * WAKE_SECONDS
RHYTHM = Rhythm(AFTER, 1, BUDGET)


def living(scenario: Callable[[Server], Awaitable[None]], rhythm: Rhythm | None = RHYTHM) -> Server:
    """The server after a scenario, in its own time."""
    server = Server(rhythm)

    async def live() -> None:
        async with server:
            await scenario(server)
        asked = list(server.engine.asked)
        await asyncio.sleep(10 * LONG)
        assert (server.engine.asked, server.engine.busy) == (asked, False), "the engine outlived its server"

    run_fast(live())
    return server


def test_an_engine_that_nobody_asks_anything_falls_asleep_after_the_time_and_not_before() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(AFTER - 1)
        assert server.engine.asked == []
        await asyncio.sleep(1 + 2 * WAKE_SECONDS)
        assert server.engine.asked == ["sleep 1"]
        await asyncio.sleep(10 * LONG)

    assert living(scenario).engine.asked == ["sleep 1"]


def test_the_first_request_wakes_it_and_is_answered_by_an_engine_that_is_awake() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        asked = asyncio.get_running_loop().time()
        assert await server.served() == 200
        assert asyncio.get_running_loop().time() - asked == pytest.approx(WAKE_SECONDS)

    assert living(scenario).engine.asked == ["sleep 1", "wake all"]


def test_level_2_reads_the_weights_again_before_the_memory_with_which_work_goes_on() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        assert await server.served() == 200

    steps = ["sleep 2", "wake weights", "reload_weights", "wake kv_cache"]
    assert living(scenario, Rhythm(AFTER, 2, BUDGET)).engine.asked == steps


def test_many_requests_at_once_wake_it_once_and_all_are_answered() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        assert await asyncio.gather(*(server.served(number) for number in range(50))) == [200] * 50

    assert living(scenario).engine.asked == ["sleep 1", "wake all"]


def test_a_request_that_comes_while_it_falls_asleep_waits_for_that_and_for_its_waking() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(AFTER + WAKE_SECONDS / 2)
        assert server.engine.busy
        assert await server.served() == 200

    assert living(scenario).engine.asked == ["sleep 1", "wake all"]


def test_a_request_that_runs_for_long_keeps_it_awake_and_the_clock_begins_at_its_end() -> None:
    async def scenario(server: Server) -> None:
        running = asyncio.create_task(server.ask(1))
        await asyncio.sleep(10 * AFTER)
        assert await server.served(2) == 200
        await asyncio.sleep(10 * AFTER)
        server.end(1)
        assert await running == 200
        await asyncio.sleep(AFTER - 1)
        assert server.engine.asked == []
        await asyncio.sleep(2)
        assert server.engine.asked == ["sleep 1"]

    living(scenario)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("GET", "/health"), ("GET", "/metrics"), ("HEAD", "/health"), ("POST", "/ping")],
)
def test_who_only_looks_wakes_nobody_and_keeps_nobody_awake(method: str, path: str) -> None:
    async def scenario(server: Server) -> None:
        for _ in range(10):
            await asyncio.sleep(AFTER / 5)
            assert await server.ask(method=method, path=path) == 200

    assert living(scenario).engine.asked == ["sleep 1"]


def test_a_client_that_leaves_while_it_is_woken_does_not_stop_the_waking() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        impatient = asyncio.create_task(server.ask(1))
        await asyncio.sleep(WAKE_SECONDS / 3)
        patient = asyncio.create_task(server.served(2))
        await asyncio.sleep(WAKE_SECONDS / 3)
        impatient.cancel()
        assert await patient == 200

    assert living(scenario).engine.asked == ["sleep 1", "wake all"]


def test_it_falls_asleep_again_when_all_have_left_before_it_was_awake() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        impatient = asyncio.create_task(server.ask(1))
        await asyncio.sleep(WAKE_SECONDS / 3)
        impatient.cancel()
        await asyncio.sleep(2 * LONG)

    assert living(scenario).engine.asked == ["sleep 1", "wake all", "sleep 1"]


def test_a_waking_that_fails_refuses_what_was_held_so_that_it_is_sent_elsewhere_and_names_the_cause() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        server.engine.good, server.engine.breaks = 1, Exception("CUDA Error: out of memory at cumem.cpp:62")
        assert await asyncio.gather(*(server.ask(number) for number in range(3))) == [503] * 3
        assert await server.ask(9) == 503
        await asyncio.sleep(2 * LONG)

    server = living(scenario)
    assert server.engine.asked == ["sleep 1", "wake all"]
    assert server.failures == ["the engine did not wake up: CUDA Error: out of memory at cumem.cpp:62"]


def test_falling_asleep_that_fails_ends_the_worker_too_for_its_memory_may_be_half_away() -> None:
    async def scenario(server: Server) -> None:
        server.engine.good, server.engine.breaks = 0, RuntimeError("Memory usage increased after sleeping.")
        await asyncio.sleep(LONG)
        assert await server.ask() == 503

    server = living(scenario)
    assert server.engine.asked == ["sleep 1"]
    assert server.failures == [
        "the engine did not fall asleep: RuntimeError: Memory usage increased after sleeping."
    ]


def test_an_engine_that_never_comes_back_is_given_up_after_its_time() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        server.engine.seconds = 1e9
        assert await server.ask() == 503

    assert living(scenario, Rhythm(AFTER, 1, 30)).failures == [
        "the engine did not wake up: it took longer than 30 s"
    ]


def test_memory_that_came_back_in_part_is_no_waking() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        server.engine.comes_back = False
        assert await server.ask() == 503

    failure = "the engine did not wake up: RuntimeError: a part of its memory is still away"
    assert living(scenario).failures == [failure]


def test_a_server_that_ends_leaves_no_change_behind() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(AFTER + WAKE_SECONDS / 2)
        assert server.engine.busy

    server = living(scenario)
    assert (server.failures, server.engine.asked) == ([], ["sleep 1"])


def test_without_the_variable_nothing_ever_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEGATE_SLEEP_AFTER_SECONDS", raising=False)

    async def scenario(server: Server) -> None:
        await asyncio.sleep(100 * AFTER)
        assert await server.served() == 200

    assert living(scenario, None).engine.asked == []


def draining(scenario: Callable[[Server, Drain, list[bool]], Awaitable[None]]) -> Server:
    """The server behind the drain, as vLLM nests the two; the list has an item for each end that was told."""

    async def nested(server: Server) -> None:
        finished: list[bool] = []
        drain = Drain(server.doze, lambda: finished.append(True), 300)
        server.entry = drain
        await scenario(server, drain, finished)

    return living(nested)


def test_a_drain_while_it_sleeps_ends_at_once_and_wakes_nobody() -> None:
    async def scenario(server: Server, drain: Drain, finished: list[bool]) -> None:
        await asyncio.sleep(LONG)
        drain.begin()
        assert finished == [True]
        assert await server.ask() == 503

    assert draining(scenario).engine.asked == ["sleep 1"]


def test_a_drain_while_requests_are_held_answers_them_first() -> None:
    async def scenario(server: Server, drain: Drain, finished: list[bool]) -> None:
        await asyncio.sleep(LONG)
        held = asyncio.create_task(server.served())
        await asyncio.sleep(WAKE_SECONDS / 2)
        drain.begin()
        assert finished == []
        assert await held == 200
        assert finished == [True]

    assert draining(scenario).engine.asked == ["sleep 1", "wake all"]


def test_a_websocket_is_work_like_a_request() -> None:
    async def scenario(server: Server) -> None:
        await asyncio.sleep(LONG)
        server.end()
        assert await server.ask(kind="websocket", path="/v1/realtime") == 200

    assert living(scenario).engine.asked == ["sleep 1", "wake all"]


def test_the_cause_that_it_leaves_is_the_one_that_the_supervisor_reads() -> None:
    lines = ["INFO all is well", "EngineSleepError: the engine did not wake up: CUDA Error: out of memory"]
    failure = find_failure(lines, 0, {})
    assert failure.reason == "OutOfMemory"
    assert failure.message.startswith("EngineSleepError: the engine did not wake up")
    late = find_failure(["EngineSleepError: the engine did not wake up: it took longer than 900 s"], 0, {})
    assert late.reason == "EngineFailed"
