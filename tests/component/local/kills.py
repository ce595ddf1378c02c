"""`tidegate up` killed at a drawn moment of a service's cycle, and what its successor finds and does."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from enum import StrEnum

import httpx

from tests.component.local.ledger import Book
from tests.component.local.manifests import Json, service
from tests.component.local.place import Place
from tests.component.local.up import Up
from tests.component.local.waiting import until
from tidegate.resources.names import WORKER_PORT

NAME = "tide"
LONG = 600  # seconds of idleness that no test waits for


class Moment(StrEnum):
    """What the service's worker does when its supervisor is killed."""

    WAKING = "waking"  # a request has just come: before, at or after the start of a process
    STARTING = "starting"  # its process runs, and does not answer yet
    SERVING = "serving"  # a stream runs through it
    ENDING = "ending"  # it is being put to sleep, or just was
    DRAINING = "draining"  # its service has been removed, and it finishes a request


# Seconds into the moment at which the kill comes, at most; a wake is over sooner than the others.
_WITHIN = dict.fromkeys(Moment, 0.4) | {Moment.WAKING: 0.1}


@dataclass(frozen=True)
class Kill:
    """How one went. ``before``: workers that ran at the kill; ``stayed``: one of them gave the successor's
    first answer."""

    moment: Moment
    after: float
    before: int
    stayed: bool


def drawn(chance: random.Random, count: int) -> list[tuple[Moment, float]]:
    """So many moments, each kind as often as the others, and how many seconds into each."""
    kinds = [list(Moment)[number % len(Moment)] for number in range(count)]
    chance.shuffle(kinds)
    return [(kind, chance.uniform(0, _WITHIN[kind])) for kind in kinds]


async def kill_once(here: Place, told: Book, moment: Moment, after: float) -> Kill:
    """Starts `up`, kills it at that moment and starts it again; returns when no process is left.

    AssertionError where its successor does not serve, has two workers where one is wanted, or leaves one.
    """
    here.put(_tide(told, idle=1 if moment is Moment.ENDING else LONG), service("other"))
    first = await here.start()
    await first.wait_asleep(NAME)
    under_way = await _reach(here, first, told, moment)
    await asyncio.sleep(after)
    before = here.leaders()
    await first.kill()
    second, stayed = await here.start(), False
    if moment is not Moment.DRAINING:
        await second.answered(NAME)
        stayed = any(process in before for process in here.leaders())
        assert sum(not _ends(pod) for pod in await second.pods(NAME)) == 1
        here.put(_tide(told, idle=1))
        await second.wait_asleep(NAME)
    await here.empty()
    await asyncio.gather(*under_way, return_exceptions=True)  # what was asked of the first one failed with it
    assert await second.stop() == 0, second.said()
    return Kill(moment, after, len(before), stayed)


def _tide(told: Book, idle: int) -> Json:
    """A service that takes a good half of a second to start."""
    engine = {"ENGINE_REPORT_TO": told.address, "ENGINE_START_DELAY_SECONDS": "0.6"}
    return service(NAME, engine, idle=idle)


async def _reach(here: Place, up: Up, told: Book, moment: Moment) -> list[asyncio.Task[httpx.Response]]:
    """Returns at the beginning of the moment, with what is under way then."""
    if moment is Moment.WAKING:
        return [up.begin(NAME)]
    if moment is Moment.STARTING:
        task = up.begin(NAME)
        await until(here.leaders, "a worker starts")
        return [task]
    await up.answered(NAME)
    if moment is Moment.ENDING:
        await until(lambda: _none_stays(up), "the worker ends")
        return []
    [pod] = await up.pods(NAME)
    worker = f"http://{pod['status']['podIP']}:{WORKER_PORT}"
    return [await _streaming(here, up, told, worker if moment is Moment.DRAINING else "")]


async def _streaming(here: Place, up: Up, told: Book, worker: str) -> asyncio.Task[httpx.Response]:
    """A stream of some seconds that has begun: through the gateway, or of the ``worker`` itself, which then
    finishes it though its service is gone."""
    id_ = f"stream-{len(told.read().begun)}"
    task = up.begin(NAME, tokens=300, stream=True, request_id=id_, worker=worker)
    await until(lambda: told.read().begun[id_], "the stream runs")
    if worker:
        (here.manifests / f"{NAME}.yaml").unlink()
        await until(lambda: _none_stays(up), "the worker drains")
    return task


async def _none_stays(up: Up) -> bool:
    return all(_ends(pod) for pod in await up.pods(NAME))


def _ends(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]
