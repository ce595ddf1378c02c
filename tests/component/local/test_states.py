"""What becomes of a service whose engine starts, serves, crashes, hangs or does not end: real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from tests.component.local.ledger import Book, book
from tests.component.local.manifests import Json, service, shell
from tests.component.local.marked import Marked
from tests.component.local.place import Place, place
from tests.component.local.up import Up
from tests.component.local.waiting import SECONDS, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELAY = {"ENGINE_START_DELAY_SECONDS": "0.5"}
FAILS = {"ENGINE_FAIL": "ModelNotFound: the folder is empty"}
HANGS = {"ENGINE_START_DELAY_SECONDS": "100000"}
KEPT = {"minReplicas": 1}
# A process in a session of its own, which no signal to the group reaches.
RUNAWAY = shell('setsid sleep 100000 & exec "$@"')
# The engine ends at SIGTERM, and the first process stays.
STUBBORN = shell('trap "" TERM; "$@"; sleep 100000')


@dataclass(frozen=True)
class Stage:
    """One `up` for the tests of this module; each has services of its own there."""

    here: Place
    up: Up
    told: Book


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with book() as told, place(tmp_path_factory.mktemp("up")) as here:
        here.put(
            service("tide", DELAY),
            service("broken", FAILS, scaling=KEPT | {"coldStartTimeoutSeconds": 1}),
            service("hung", HANGS, scaling=KEPT, engine={"startupDeadlineSeconds": 10}),
            service("loaded", {"ENGINE_REPORT_TO": told.address, "ENGINE_REQUEST_SECONDS": "2"}, idle=600),
            service("runaway", command=RUNAWAY, idle=600),
            service("stubborn", command=STUBBORN, queue={"executionTimeoutSeconds": 10}),
        )
        up = await here.start()
        await up.answered("stubborn")  # its grace goes by while the others are looked at
        yield Stage(here, up, told)


async def test_a_request_wakes_a_service_and_idleness_ends_its_worker_as_often_as_one_comes(
    stage: Stage,
) -> None:
    up = stage.up
    for count in (1, 2):
        await up.wait_asleep("tide")
        assert await up.pods("tide") == []
        await up.answered("tide")
        await up.wait_started("tide", count)
    await up.wait_asleep("tide")


async def test_a_process_that_left_the_workers_session_ends_with_the_worker(stage: Stage) -> None:
    await stage.up.answered("runaway")
    [pod] = await stage.up.pods("runaway")
    await until(lambda: len(_processes(stage.here, [pod])) == 2, "both processes run")
    stage.here.put(service("runaway", command=RUNAWAY))
    await stage.up.wait_asleep("runaway")
    await until(lambda: not _processes(stage.here, [pod]), "the one that left has ended too")


async def test_of_requests_on_an_engine_that_is_killed_none_is_lost_and_the_worker_comes_back(
    stage: Stage,
) -> None:
    up, here = stage.up, stage.here
    await up.answered("loaded")
    pods = await up.pods("loaded")
    streams = [asyncio.create_task(_stream(up, f"s{number}")) for number in range(4)]
    whole = [up.begin("loaded", request_id=f"w{number}") for number in range(4)]
    ids = {f"{kind}{number}" for kind in "sw" for number in range(4)}
    await until(lambda: ids <= stage.told.read().begun.keys(), "all eight run")
    for process in _processes(here, pods):
        process.kill()
    answers = await asyncio.wait_for(asyncio.gather(*whole), SECONDS)
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * 4, answers[0].text

    def ended() -> list[int]:
        return [stage.told.read().ended[f"w{number}"] for number in range(4)]

    await until(lambda: all(ended()), "the engine has told each end, after its last byte")
    assert ended() == [1] * 4
    for events in await asyncio.wait_for(asyncio.gather(*streams), SECONDS):
        assert events[-1] != "[DONE]"
        assert "error" in json.loads(events[-1]), events[-1]
    await up.answered("loaded")


async def test_an_engine_that_crashes_at_its_start_is_told_tried_again_and_serves_once_it_is_mended(
    stage: Stage,
) -> None:
    up = stage.up
    await up.wait_phase("broken", "Failed")
    await up.wait_ready("broken", "the folder is empty")
    await _tried_again(up, "broken")
    await until(lambda: _refused(up, "broken", "ModelNotFound"), "clients are told why")
    stage.here.put(service("broken"))
    await up.answered("broken")


async def _refused(up: Up, name: str, reason: str) -> bool:
    """Whether a request that waited in vain is told this reason; another one while a try is under way."""
    answer = await up.ask(name)
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
    assert int(answer.headers["retry-after"]) > 0
    return bool(answer.json()["error"]["reason"] == reason)


async def test_an_engine_that_hangs_at_its_start_is_told_and_tried_again_after_its_deadline(
    stage: Stage,
) -> None:
    up = stage.up
    await _tried_again(up, "hung")
    await up.wait_ready("hung", "StartupDeadlineExceeded", "10 s")
    stage.here.put(service("hung"))
    await up.answered("hung")


async def test_a_worker_that_ignores_sigterm_is_killed_when_its_grace_is_over(stage: Stage) -> None:
    await stage.up.wait_asleep("stubborn")


async def _tried_again(up: Up, name: str) -> None:
    """Returns when a worker's process has been started a second time."""
    names: set[str] = set()

    async def again() -> bool:
        pods = await up.pods(name)
        names.update(pod["metadata"]["name"] for pod in pods)
        return len(names) > 1 or any(_restarts(pod) for pod in pods)

    await until(again, f"{name} is started again")


def _restarts(pod: Json) -> int:
    statuses = pod["status"].get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0))


def _processes(here: Place, pods: Iterable[Json]) -> list[Marked]:
    uids = {pod["metadata"]["uid"] for pod in pods}
    return [process for process in here.processes() if process.worker in uids]


async def _stream(up: Up, id_: str) -> list[str]:
    """The data of each event of a stream of half a minute, as far as it came."""
    answer = await up.begin("loaded", tokens=3000, request_id=id_, stream=True)
    return [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line.startswith("data: ")]
