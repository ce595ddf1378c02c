"""What a subscriber of the demand hears, and when."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

from tests.unit import virtual_time
from tidegate.domain.service import ServiceKey
from tidegate.gateway import demand
from tidegate.gateway.demand import DemandFeed

KEY = ServiceKey("a", "qwen")


class Growing:
    """A service with some requests."""

    def __init__(self) -> None:
        self.key = KEY
        self.waiting = 0

    def demand(self, *, everything: bool = False) -> dict[str, object]:
        line: dict[str, object] = {"service": str(self.key), "waiting": self.waiting}
        return line | ({"everything": True} if everything else {})


def test_a_burst_is_one_line_whenever_its_first_request_comes() -> None:
    """Requests that come over less than the coalescing time are never told in two parts."""
    virtual_time.run(_bursts())


async def _bursts() -> None:
    service = Growing()
    feed = DemandFeed(lambda: [service])
    async with aclosing(feed.subscribe()) as lines:  # type: ignore[type-var]
        await anext(lines)
        for calm in (0.0, 0.5, 0.8, 1.0, 1.5):  # of the coalescing time, since the last line
            service.waiting = 0
            told = asyncio.ensure_future(anext(lines))
            await asyncio.sleep(demand.COALESCE_SECONDS * calm)
            for _ in range(8):
                await asyncio.sleep(demand.COALESCE_SECONDS / 20)
                service.waiting += 25
                feed.changed(KEY)
            assert json.loads(await told) == {"service": "a/qwen", "waiting": 200}


async def test_a_change_while_a_line_is_read_is_in_the_next_one() -> None:
    service = Growing()
    feed = DemandFeed(lambda: [service])
    async with aclosing(feed.subscribe()) as lines:  # type: ignore[type-var]
        await anext(lines)
        for count in (1, 2):
            service.waiting = count
            feed.changed(KEY)
            assert json.loads(await anext(lines))["waiting"] == count


async def test_two_subscribers_hear_the_same() -> None:
    service = Growing()
    feed = DemandFeed(lambda: [service])
    async with aclosing(feed.subscribe()) as first, aclosing(feed.subscribe()) as second:  # type: ignore[type-var]
        await anext(first), await anext(second)
        service.waiting = 3
        feed.changed(KEY)
        assert await anext(first) == await anext(second)
