"""Whatever befalls the watches, the operator goes on, and what happened meanwhile is noticed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.component.kube.wire import eventually
from tests.component.operator.faults import Fault, error_event, garbage, lag, refusal, silence
from tests.component.operator.harness import Operator, World, api_proxy, played_parts, running_operator
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import NotFoundError

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAULTS = {
    "an ERROR event of 410": error_event(410),
    "an ERROR event of 500": error_event(500),
    "an ERROR event of 403, three times": error_event(403, 3),
    "a refusal with 403, four times": refusal(403, 4),
    "a refusal with 410": refusal(410, 1),
    "a refusal with 429, twice": refusal(429, 2),
    "a refusal with 503, twice": refusal(503, 2),
    "a line that is no JSON": garbage(),
    "a lag of three seconds": lag(3.0),
    "a reset connection": None,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(
    server: ApiServer, kube: KubeClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Operator]:
    """One that lists everything only where it has a reason to."""
    folder = tmp_path_factory.mktemp("watches")
    async with (
        played_parts(kube) as (_, _, settings),
        api_proxy(server) as proxy,
        running_operator(proxy, folder, resync_seconds=3600, **settings) as running,
    ):
        yield running


@pytest.mark.parametrize("what", FAULTS)
async def test_what_was_made_and_deleted_during_a_fault_is_noticed(
    kube: KubeClient, world: World, operator: Operator, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fault: Fault | None = FAULTS[what]
    await world.create("known")
    await world.phase("known", "Idle")
    first = await world.deployment("known")
    operator.proxy.break_watches()
    await kube.delete(paths.deployment(world.namespace, "known-worker"))
    await world.create("made")
    begun = time.monotonic()
    operator.proxy.befall(fault)
    await world.phase("made", "Idle")

    async def back() -> bool:
        try:
            return bool((await world.deployment("known"))["metadata"]["uid"] != first["metadata"]["uid"])
        except NotFoundError:
            return False

    await eventually(back, "the Deployment is back")
    with capsys.disabled():
        print(f"\n{what}: converged after {time.monotonic() - begun:.1f} s")
    assert operator.process.returncode is None


async def test_old_events_that_come_once_more_change_nothing(
    kube: KubeClient, world: World, operator: Operator
) -> None:
    await world.create("once")
    await world.phase("once", "Idle")
    await operator.settled()
    before = len(operator.writes)
    operator.proxy.replays = True
    operator.proxy.befall(None)
    await world.create("after")
    await world.phase("after", "Idle")
    operator.proxy.replays = False
    others = [write.path for write in operator.writes[before:] if "/after" not in write.path]
    made = {
        f"/apis/apps/v1/namespaces/{world.namespace}/deployments",
        f"/api/v1/namespaces/{world.namespace}/services",
    }
    assert set(others) <= made
    assert len(others) == 2


async def test_watches_that_say_nothing_are_made_up_for_by_listings(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    silent = asyncio.Event()
    async with (
        played_parts(kube) as (_, _, settings),
        api_proxy(server) as proxy,
        running_operator(proxy, tmp_path, resync_seconds=4, **settings),
    ):
        proxy.befall(silence(silent))
        await world.create("unheard")
        await world.phase("unheard", "Idle")
        silent.set()
