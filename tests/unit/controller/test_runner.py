"""How a pass that fails is tried again."""

import asyncio
import logging
from typing import cast

import pytest

from tests.component.kube.wire import eventually
from tidegate.control.queue import Backoff, KeyedQueue
from tidegate.controller.metrics import OperatorMetrics
from tidegate.controller.reconcile import PassResult, Reconciler
from tidegate.controller.runner import Runner
from tidegate.domain.service import ServiceKey
from tidegate.kube.errors import KubeError, NotLeaderError, error_from_status

KEY = ServiceKey("team", "qwen")


class Passes:
    """Fails each pass with the next error, then succeeds."""

    def __init__(self, *errors: KubeError) -> None:
        self.errors = list(errors)
        self.running = 0
        self.at_once = 0
        self.made = 0

    async def reconcile(self, _: ServiceKey) -> PassResult:
        self.made += 1
        self.running += 1
        self.at_once = max(self.at_once, self.running)
        try:
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        if self.errors:
            raise self.errors.pop(0)
        return PassResult("ok")


class Delays(KeyedQueue[ServiceKey]):
    """Remembers every delay that is asked for, and grants none."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def add_after(self, key: ServiceKey, seconds: float) -> None:
        self.asked.append(seconds)
        self.add(key)


async def passes_of(*errors: KubeError) -> tuple[Passes, Delays]:
    passes, queue = Passes(*errors), Delays()
    backoff: Backoff[ServiceKey] = Backoff(lambda _, high: high)
    runner = Runner(queue, backoff, cast(Reconciler, passes), OperatorMetrics())
    queue.add(KEY)
    task = asyncio.create_task(runner.run(4))
    await eventually(lambda: passes.made > len(errors), "it succeeds at last")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return passes, queue


async def test_failures_are_tried_again_ever_later() -> None:
    failures = [error_from_status(500, {}) for _ in range(4)]
    _, queue = await passes_of(*failures)
    assert queue.asked == [0.5, 1.0, 2.0, 4.0]


async def test_a_server_that_asks_for_more_time_gets_it() -> None:
    _, queue = await passes_of(error_from_status(429, {}, "7"), error_from_status(429, {}))
    first, second = queue.asked
    assert first >= 7.0
    assert second == 1.0


async def test_a_pass_that_a_late_renewal_kept_from_writing_is_made_again() -> None:
    _, queue = await passes_of(NotLeaderError("this replica does not lead"))
    assert queue.asked == [0.5]


@pytest.mark.parametrize("status", [404, 409])
async def test_that_the_world_has_moved_on_is_no_warning(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await passes_of(error_from_status(status, {}))
    assert caplog.records == []


async def test_one_service_never_has_two_passes_at_once() -> None:
    passes, queue = Passes(), Delays()
    backoff: Backoff[ServiceKey] = Backoff(lambda _, high: high)
    task = asyncio.create_task(Runner(queue, backoff, cast(Reconciler, passes), OperatorMetrics()).run(4))
    for _ in range(50):
        queue.add(KEY)
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert passes.made > 10
    assert passes.at_once == 1
