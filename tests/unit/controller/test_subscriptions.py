import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from aiohttp import web

from tests.unit.controller.streams import FakeGateway, fake_gateway, serving
from tidegate.control.demand import DemandBoard
from tidegate.controller.subscriptions import Subscriptions, SubscriptionSettings
from tidegate.domain.service import ServiceKey

KEY = ServiceKey("team", "qwen")
HERE = "127.0.0.1"


async def eventually(holds: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - the state belongs to the code under test
            await asyncio.sleep(0.005)
    assert holds(), what


class Fixture:
    """Subscriptions to one fake gateway, and whom they told."""

    def __init__(self, gateway: FakeGateway, client: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.board = DemandBoard()
        self.told: list[ServiceKey | None] = []
        settings = SubscriptionSettings(
            changed=self.told.append,
            now=lambda: 100.0,
            jitter=lambda _, high: high,
            port=gateway.port,
            retry=0.01,
        )
        self.subscriptions = Subscriptions(self.board, client, settings)


@pytest.fixture
async def fixture() -> AsyncIterator[Fixture]:
    async with fake_gateway() as gateway, httpx.AsyncClient(trust_env=False) as client:
        found = Fixture(gateway, client)
        async with found.subscriptions.running():
            yield found


async def test_a_gateway_is_heard_from_its_first_line_on(fixture: Fixture) -> None:
    fixture.gateway.tell("team/qwen", waiting=3)
    fixture.subscriptions.follow({HERE}, {HERE})
    await eventually(lambda: not fixture.board.silent, "it has told everything")
    assert fixture.board.load(KEY).waiting == 3
    assert KEY in fixture.told
    fixture.gateway.tell("team/qwen", waiting=4)
    await eventually(lambda: fixture.board.load(KEY).waiting == 4, "a change is heard")


async def test_a_broken_connection_is_made_again_and_everybody_is_looked_at(fixture: Fixture) -> None:
    fixture.gateway.tell("team/qwen", waiting=3)
    fixture.subscriptions.follow({HERE}, {HERE})
    await eventually(lambda: not fixture.board.silent, "connected")
    fixture.told.clear()
    fixture.gateway.cut()
    await eventually(lambda: fixture.gateway.connections == 2 and not fixture.board.silent, "connected again")
    assert None in fixture.told
    assert fixture.board.load(KEY).waiting == 3


async def test_a_gateway_that_is_gone_is_left_alone(fixture: Fixture) -> None:
    fixture.subscriptions.follow({HERE}, {HERE})
    await eventually(lambda: not fixture.board.silent, "connected")
    fixture.subscriptions.follow((), ())
    fixture.gateway.cut()
    await asyncio.sleep(0.1)
    assert fixture.gateway.connections == 1
    assert not fixture.board.silent


async def test_after_a_connection_that_was_good_the_next_one_is_made_soon_however_it_ended() -> None:
    connections = 0

    async def told_and_broken(_: web.Request) -> web.Response:
        nonlocal connections
        connections += 1
        return web.Response(text='{"synced": true}\n[]\n')  # the second line is none of demand

    async with serving({"/demand": told_and_broken}) as port, httpx.AsyncClient(trust_env=False) as client:
        settings = SubscriptionSettings(
            lambda _: None,
            now=lambda: 100.0,
            jitter=lambda _, high: high,
            port=port,
            retry=0.01,
            retry_limit=3600.0,
        )
        subscriptions = Subscriptions(DemandBoard(), client, settings)
        async with subscriptions.running():
            subscriptions.follow({HERE}, {HERE})
            # doubled each time, the twentieth would come after 0.01 * (1 + 2 + ... + 2 ** 18) s, 44 minutes
            await eventually(lambda: connections >= 20, "connected again and again")
