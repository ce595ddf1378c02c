"""When a service that waits is woken: at once, again soon where that was refused, and never for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.substrate import Sink
from tidegate.gateway.waker import Waker

KEY, OTHER = ServiceKey("a", "qwen"), ServiceKey("a", "other")


class Waiting:
    """A service whose requests wait until the test says otherwise."""

    def __init__(self, key: ServiceKey = KEY) -> None:
        self.key = key
        self.waits = True
        self.rest = 0.0
        self.refusals: list[str] = []
        self.accepted: list[bool] = []

    def must_wake(self) -> bool:
        return self.waits

    def wake_rest(self) -> float:
        return self.rest

    def waking(self) -> None:
        """Nothing is remembered of it."""

    def wake_accepted(self, *, changed: bool) -> None:
        self.accepted.append(changed)

    def wake_refused(self, reason: str) -> None:
        self.refusals.append(reason)


class Answers:
    """A substrate that answers wakes in turn: an error, whether something changed, None: not at all."""

    def __init__(self, *answers: WakeError | bool | None) -> None:
        self.left = list(answers)
        self.asked: list[ServiceKey] = []

    async def watch(self, _: Sink) -> None:
        await asyncio.Event().wait()

    async def wake(self, key: ServiceKey) -> bool:
        self.asked.append(key)
        answer = self.left.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, WakeError):
            raise answer
        return bool(answer)


class Pauses:
    """The pauses between wakes: noted, and over at once; those after the last answer, and those of
    ``endless_from`` seconds, never end."""

    def __init__(self, substrate: Answers) -> None:
        self._substrate = substrate
        self.seconds: list[float] = []
        self.first, self.first_long, self.last = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.endless_from = float("inf")

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.first.set()
        if seconds >= self.endless_from:
            self.first_long.set()
            await asyncio.Event().wait()
        if not self._substrate.left:
            self.last.set()
            await asyncio.Event().wait()


@asynccontextmanager
async def waker(substrate: Answers, wake_timeout: float = 10.0) -> AsyncIterator[tuple[Waker, Pauses]]:
    """An interval of a second, and the shortest pauses that the jitter allows."""
    settings, pauses = GatewaySettings(wake_interval=1.0, wake_timeout=wake_timeout), Pauses(substrate)
    made = Waker(settings, substrate, lambda low, _: low, pauses.sleep)
    try:
        yield made, pauses
    finally:
        await made.close()


async def played(
    *answers: WakeError | bool | None, wake_timeout: float = 10.0
) -> tuple[Waiting, list[float]]:
    """A service that waits through all of these answers, and the pause after each."""
    substrate, service = Answers(*answers), Waiting()
    async with waker(substrate, wake_timeout) as (made, pauses), asyncio.timeout(60):
        made.poke(service)
        await pauses.last.wait()
    assert substrate.asked == [KEY] * len(answers)
    return service, pauses.seconds


async def test_a_refused_wake_does_not_wait_for_the_interval() -> None:
    service, pauses = await played(WakeError("no"), WakeError("no"), WakeError("still no"), True)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 1.0])
    assert service.refusals == ["no", "no", "still no"]
    assert service.accepted == [True]


async def test_a_scale_that_somebody_else_has_raised_is_looked_at_again_soon() -> None:
    """He may be about to take that back: an operator that has just decided to put it to sleep."""
    service, pauses = await played(False, False, True, False)
    assert pauses == pytest.approx([0.1, 0.2, 1.0, 4.0, 1.0])
    assert service.accepted == [False, False, True, False]


async def test_a_thousand_requests_are_one_wake_while_its_worker_is_on_the_way() -> None:
    substrate, service = Answers(True), Waiting()
    async with waker(substrate) as (made, pauses), asyncio.timeout(60):
        for _ in range(1000):
            made.poke(service)
        await pauses.last.wait()
        made.poke(service)
        await asyncio.sleep(0)
    assert substrate.asked == [KEY]


async def test_who_refuses_is_left_alone_for_as_long_as_it_asks() -> None:
    _, pauses = await played(WakeError("too many requests", 7.0), WakeError("no"), True)
    assert pauses == pytest.approx([1.0, 6.0, 0.1, 1.0])


async def test_who_asks_to_be_left_alone_for_hours_is_asked_again_within_a_minute() -> None:
    """Something between the gateway and the API server, perhaps: what waits would wait for nothing."""
    _, pauses = await played(WakeError("too many requests", 7200.0), True)
    assert pauses == pytest.approx([1.0, 31.0, 1.0])


async def test_a_wake_without_an_answer_is_given_up_and_asked_for_again() -> None:
    service, pauses = await played(None, True, wake_timeout=0.05)
    assert service.refusals == ["no answer to the wake within 0.05 s"]
    assert service.accepted == [True]
    assert pauses == pytest.approx([0.05, 1.0])


async def test_wakes_that_hang_keep_no_other_service_waiting() -> None:
    services = [Waiting(ServiceKey("a", f"s{number:02}")) for number in range(20)]
    other, substrate = Waiting(OTHER), Answers(*[None] * 20, True)
    async with waker(substrate) as (made, pauses), asyncio.timeout(60):
        for service in (*services, other):
            made.poke(service)
        await pauses.last.wait()
    assert substrate.asked == [*(service.key for service in services), OTHER]
    assert other.accepted == [True]


async def test_a_worker_that_was_seen_and_vanished_is_another_wake_and_not_the_rest_of_a_pause() -> None:
    """The pause after a wake is 1 s, in which none may follow, and 4 s more until a worker is seen."""
    substrate, service = Answers(True, True), Waiting()
    async with waker(substrate) as (made, pauses), asyncio.timeout(60):
        pauses.endless_from = 4.0
        made.poke(service)
        await pauses.first_long.wait()
        service.waits = False  # its worker is there
        made.poke(service)
        service.waits = True  # and gone
        made.poke(service)
        await pauses.last.wait()
    assert substrate.asked == [KEY, KEY]


async def test_a_worker_that_vanishes_within_the_interval_is_waited_out() -> None:
    substrate, service = Answers(True), Waiting()
    async with waker(substrate) as (made, pauses), asyncio.timeout(60):
        made.poke(service)
        await pauses.last.wait()
        for waits in (False, True):
            service.waits = waits
            made.poke(service)
        await asyncio.sleep(0)
        assert pauses.seconds == [1.0]
    assert substrate.asked == [KEY]


class GivesUp(Waiting):
    """Its requests go when a wake was refused."""

    def wake_refused(self, reason: str) -> None:
        super().wake_refused(reason)
        self.waits = False


async def test_a_service_that_nobody_waits_for_any_more_is_not_woken_again_before_somebody_does() -> None:
    substrate, service = Answers(WakeError("no"), True), GivesUp()
    async with waker(substrate) as (made, pauses), asyncio.timeout(60):
        made.poke(service)
        await pauses.first.wait()
        await asyncio.sleep(0)
        made.poke(service)
        await asyncio.sleep(0)
        assert substrate.asked == [KEY]
        service.waits = True
        made.poke(service)
        await pauses.last.wait()
    assert substrate.asked == [KEY, KEY]
    assert pauses.seconds == pytest.approx([0.05, 1.0])
