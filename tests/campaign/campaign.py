"""All cases, in lanes side by side; a table, and the same as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.campaign.cases import Outcome, Reference, killed_at, reference, stormy
from tests.campaign.cluster import campaign_cluster
from tests.campaign.processes import zygote
from tests.campaign.proxy import admin_session
from tests.campaign.report import Report
from tests.campaign.scenarios import SCENARIOS
from tests.campaign.stage import Ground, Lane, NotReachedError, lane_on
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import NotFoundError

Case = Callable[[Lane], Awaitable[Outcome]]

EXTRA_WRITES = 1  # a run may take one write more than the one without a fault


@dataclass(frozen=True)
class Options:
    """``seeds``: the first and the last, None: until ``seconds`` are over."""

    scenarios: tuple[str, ...]
    seconds: float
    seeds: tuple[int, int | None]
    crashes: bool
    lanes: int
    json: str | None
    logs: str | None = None  # a folder where the operators' logs stay


async def run(options: Options) -> int:
    """Play everything; the exit status."""
    with tempfile.TemporaryDirectory(prefix="tidegate-campaign-") as folder, campaign_cluster() as server:
        async with (
            ground_on(server, Path(options.logs or folder)) as ground,
            lanes_on(ground, options.lanes) as lanes,
        ):
            report = Report(options.json)
            known = await references(lanes, options.scenarios)
            report.begin(known)
            if options.crashes:
                await play(lanes, iter(crash_cases(known)), report.take)
            await play(lanes, _seeded(known, options), report.take)
            report.end()
            return 0 if report.all_equal else 1


@asynccontextmanager
async def ground_on(server: ApiServer, folder: Path) -> AsyncIterator[Ground]:
    """What all cases share, for a block."""
    os.environ["KUBECONFIG"] = str(server.kubeconfig)
    async with await KubeClient.connect() as kube, admin_session(server) as session, zygote() as forks:
        await _crd_is_served(kube)
        yield Ground(server, kube, session, forks, folder)


async def _crd_is_served(kube: KubeClient) -> None:
    while True:
        try:
            await kube.list_all(paths.inference_services())
        except NotFoundError:
            await asyncio.sleep(0.1)
        else:
            return


@asynccontextmanager
async def lanes_on(ground: Ground, number: int) -> AsyncIterator[list[Lane]]:
    """So many lanes, for a block."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(lane_on(ground)) for _ in range(number)]


async def references(lanes: list[Lane], names: tuple[str, ...]) -> list[Reference]:
    """Every scenario without a fault, in the order of the names."""
    waiting = iter([scenario for scenario in SCENARIOS if scenario.name in names])
    found: list[Reference] = []

    async def follow(lane: Lane) -> None:
        for scenario in waiting:
            known = await reference(lane, scenario)
            found.append(known)

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(follow(lane))
    return sorted(found, key=lambda each: names.index(each.scenario.name))


def crash_cases(known: list[Reference]) -> list[Case]:
    """Before and after every write of every scenario."""
    return [
        _crash(each, number, after=after)
        for each in known
        for number in range(1, len(each.writes) + EXTRA_WRITES + 1)
        for after in (False, True)
    ]


def _crash(known: Reference, number: int, *, after: bool) -> Case:
    return lambda lane: killed_at(lane, known, number, after=after)


def storm_case(known: Reference, seed: int) -> Case:
    """One scenario with the faults of one seed."""
    return lambda lane: stormy(lane, known, seed)


def _seeded(known: list[Reference], options: Options) -> Iterator[Case]:
    end = time.monotonic() + options.seconds
    first, last = options.seeds
    for seed in count(first):
        for each in known:
            over = time.monotonic() > end if last is None else seed > last
            if over:
                return
            yield storm_case(each, seed)


async def play(lanes: list[Lane], cases: Iterator[Case], take: Callable[[Outcome], None]) -> None:
    """Play cases in all lanes until there are no more."""

    async def follow(lane: Lane) -> None:
        for case in cases:
            try:
                take(await case(lane))
            except NotReachedError as error:
                take(Outcome("", "before the fault", [str(error), json.dumps(error.state)[:2000]], 0.0))

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(follow(lane))
