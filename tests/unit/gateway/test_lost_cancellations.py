"""A cancellation that comes together with what was waited for ends who waited.

``asyncio.wait_for`` of CPython 3.11 drops such a one, and a loop around it then goes on for ever.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from tests.unit.virtual_time import run
from tidegate.domain.flow_ticket import EndpointKey
from tidegate.domain.peers import Peer
from tidegate.domain.service import ServiceKey
from tidegate.gateway.demand import DemandFeed
from tidegate.gateway.mesh import Mesh
from tidegate.gateway.peer_keeper import PeerKeeper
from tidegate.gateway.prober import Prober
from tidegate.gateway.settings import GatewaySettings

KEY = ServiceKey("a", "qwen")
LONG = 3600.0  # far more than any of them waits


class Sleeping:
    """A service whose worker never answers, and for which nobody waits."""

    def __init__(self) -> None:
        self.key = KEY
        self.hurry = asyncio.Event()
        self.asked = asyncio.Event()

    def anyone_waits(self) -> bool:
        self.asked.set()
        return False

    def readiness_path(self) -> str:
        return "/"

    def probed(self, key: EndpointKey, *, answers: bool) -> bool:
        del key
        return answers


def test_a_subscriber_of_the_demand_ends_though_a_change_comes_with_its_cancellation() -> None:
    run(_subscriber())


async def _subscriber() -> None:
    feed = DemandFeed(list)

    async def listens() -> None:
        async for _ in feed.subscribe():
            pass

    task = asyncio.create_task(listens())
    await asyncio.sleep(1)
    feed.changed(KEY)
    task.cancel()
    await asyncio.wait((task,), timeout=LONG)
    assert task.cancelled()


def test_a_probe_that_is_not_wanted_any_more_ends_though_a_request_hurries_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(Prober, "_connect", refused)
    run(_probe())


async def _probe() -> None:
    service, prober = Sleeping(), Prober(GatewaySettings())
    prober.want(service, {EndpointKey("worker", 0, "127.0.0.1", 8000)})
    probes = asyncio.all_tasks() - {asyncio.current_task()}
    await service.asked.wait()
    await asyncio.sleep(0.1)  # into the pause that a request cuts short
    service.hurry.set()
    prober.want(service, set())
    await asyncio.wait(probes, timeout=LONG)
    assert [probe.cancelled() for probe in probes] == [True]


def test_a_gateway_closes_the_keeper_of_an_address_though_it_was_just_poked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nobody(_: PeerKeeper) -> None:
        return None

    monkeypatch.setattr(PeerKeeper, "_connect", nobody)
    run(_keeper())


async def _keeper() -> None:
    mesh = SimpleNamespace(peer_changed=lambda *_: None)
    keeper = PeerKeeper(cast(Mesh, mesh), ("127.0.0.1", 1), Peer())
    keeper.start()
    await asyncio.sleep(0.5)  # into its pause
    keeper.poke()
    async with asyncio.timeout(LONG):
        await keeper.close()
