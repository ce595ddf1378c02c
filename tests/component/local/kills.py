"""`tidegate up` killed while services are in different parts of their cycles, and what its successor does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import httpx

from tests.component.local.ledger import Book
from tests.component.local.manifests import Json, service
from tests.component.local.place import Place
from tests.component.local.up import Up
from tests.component.local.waiting import until
from tidegate.resources.names import WORKER_PORT

LONG = 600  # seconds of idleness that no test waits for
START_SECONDS = "0.6"
TOKENS = 600  # a hundred a second: long enough to be cut off by a kill


class Moment(StrEnum):
    """What a service's worker does when its supervisor is killed; each has a service of this name."""

    WAKING = "waking"  # a request has just come: before, at or after the start of a process
    STARTING = "starting"  # it is between the start of its process and its first answers
    SERVING = "serving"  # a stream runs through it
    ENDING = "ending"  # it is idle, is being put to sleep, or just was
    DRAINING = "draining"  # its service has been removed, and it finishes a request


STAYING = tuple(moment for moment in Moment if moment is not Moment.DRAINING)


@dataclass(frozen=True)
class Kill:
    """How one went for one service. ``ran``: a worker's process ran at the kill; ``stayed``: the same one is
    the worker of the successor."""

    moment: Moment
    ran: bool
    stayed: bool


async def kill_once(here: Place, told: Book, chance: random.Random) -> list[Kill]:
    """Starts `up`, kills it at a drawn moment and starts it again; returns when no process is left.

    AssertionError where its successor does not serve, has two workers where one is wanted, or leaves one.
    """
    here.put(*(_tide(moment, told) for moment in Moment))
    first = await here.start()
    under_way = [await _drained(here, first, told), await _stream(first, told, Moment.SERVING)]
    await first.answered(Moment.ENDING)
    under_way.append(first.begin(Moment.STARTING))
    await asyncio.sleep(chance.uniform(0, 1.5))  # a second of idleness, or a start, and a half
    under_way.append(first.begin(Moment.WAKING))
    await asyncio.sleep(chance.uniform(0, 0.1))
    ran = {moment: await _running(here, first, moment) for moment in Moment}
    await first.kill()
    here.put(_tide(Moment.ENDING, told, idle=LONG))  # else it may sleep before the others have been answered
    second = await here.start()
    await asyncio.gather(*(second.answered(moment) for moment in STAYING))
    kills = [Kill(moment, bool(ran[moment]), await _same(second, moment, ran[moment])) for moment in Moment]
    here.put(*(_tide(moment, told, idle=1) for moment in STAYING))
    await asyncio.gather(*(second.wait_asleep(moment) for moment in STAYING))
    await here.empty()
    await asyncio.gather(*under_way, return_exceptions=True)  # what was asked of the first one failed with it
    assert await second.stop() == 0, second.said()
    return kills


def _tide(moment: Moment, told: Book, idle: int | None = None) -> Json:
    engine = {"ENGINE_REPORT_TO": told.address, "ENGINE_START_DELAY_SECONDS": START_SECONDS}
    usual = 1 if moment is Moment.ENDING else LONG
    return service(moment, engine, idle=usual if idle is None else idle)


async def _stream(
    up: Up, told: Book, moment: Moment, worker: str = "", tokens: int = TOKENS
) -> asyncio.Task[httpx.Response]:
    """A stream that has begun: through the gateway, or of the ``worker`` itself."""
    id_ = f"{moment}-{len(told.read().begun)}"
    task = up.begin(moment, tokens=tokens, stream=True, request_id=id_, worker=worker)
    await until(lambda: told.read().begun[id_], "the stream runs")
    return task


async def _drained(here: Place, up: Up, told: Book) -> asyncio.Task[httpx.Response]:
    """A stream of a worker itself, which it finishes though its service is gone and its gateway too."""
    await up.answered(Moment.DRAINING)
    [pod] = await up.pods(Moment.DRAINING)
    url = f"http://{pod['status']['podIP']}:{WORKER_PORT}"
    stream = await _stream(up, told, Moment.DRAINING, url, 3 * TOKENS)  # a file must be gone for 5 s
    (here.manifests / f"{Moment.DRAINING}.yaml").unlink()

    async def drains() -> bool:
        return not _staying(await up.pods(Moment.DRAINING))

    await until(drains, "the worker drains")
    return stream


async def _running(here: Place, up: Up, moment: Moment) -> set[str]:
    """The uids of a service's workers that have a process now."""
    running = {process.worker for process in here.processes()}
    return {pod["metadata"]["uid"] for pod in await up.pods(moment)} & running


async def _same(up: Up, moment: Moment, before: set[str]) -> bool:
    """Whether the one worker of the service is one of those; a service that is gone has none."""
    uids = _staying(await up.pods(moment))
    assert len(uids) == (moment in STAYING), f"{moment}: {uids}"
    return bool(uids & before)


def _staying(pods: Iterable[Json]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
