"""Where manifests come from, what becomes of their changes, and what is said of those that are wrong."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.component.local.manifests import NAMESPACE, Json, put, service, text, write
from tests.component.local.place import Place, place
from tests.component.local.up import Up
from tests.component.local.waiting import until
from tests.unit.controller.test_validation import refusal, world_of
from tests.unit.controller.test_validation import service as known

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with place(tmp_path_factory.mktemp("up")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(here: Place) -> Up:
    """One over a file, a folder and its standard input, with a service of each."""
    write(here.folder / "one.yaml", service("of-a-file"))
    here.put(service("of-a-folder"), service("changing", idle=600), service("leaving", idle=600))
    sources = (str(here.folder / "one.yaml"), str(here.manifests), "-")
    return await here.start(*sources, stdin=text(service("of-stdin")).encode())


@pytest.mark.parametrize("name", ["of-a-file", "of-a-folder", "of-stdin"])
async def test_a_service_of_each_source_is_served(up: Up, name: str) -> None:
    await up.answered(name)


async def test_a_changed_engine_replaces_the_worker_and_a_changed_limit_does_not(here: Place, up: Up) -> None:
    await up.answered("changing")
    [first] = await _uids(up, "changing")
    here.put(service("changing", idle=600, queue={"executionTimeoutSeconds": 60, "maxDepth": 7}))
    await until(lambda: _limit(up, "changing", 7), "the gateway has the new limit")
    await up.answered("changing")
    assert await _uids(up, "changing") == [first]
    args = {"maxConcurrency": 3}
    here.put(service("changing", idle=600, engine=args))
    await until(lambda: _replaced(up, first), "another worker runs in its place")
    await up.answered("changing")
    assert first not in await _uids(up, "changing")


async def test_a_broken_file_changes_nothing_and_is_complained_about_once(here: Place, up: Up) -> None:
    await up.answered("leaving")
    file = here.manifests / "leaving.yaml"
    before = await _uids(up, "leaving")
    broken = service("leaving", queue={"maxDepth": "many"})
    put(file, text(broken))
    await until(
        lambda: _complaints(up, "leaving.yaml", "spec.queue.maxDepth"), "the file is complained about"
    )
    here.put(service("another"))
    await up.wait_phase("another", "Idle")  # so the manifests have been read again since
    assert len(_complaints(up, "leaving.yaml")) == 1
    await up.answered("leaving")
    assert await _uids(up, "leaving") == before


async def test_a_service_whose_file_goes_is_gone_for_clients_and_its_worker_ends(here: Place, up: Up) -> None:
    here.put(service("leaving", idle=600))
    await up.answered("leaving")
    uids = set(await _uids(up, "leaving"))
    (here.manifests / "leaving.yaml").unlink()
    await until(lambda: _unknown(up, "leaving"), "clients get 404")
    await until(lambda: not uids & {process.worker for process in here.processes()}, "its worker has ended")
    await until(lambda: _absent(up, "leaving"), "it is not shown any more")


WRONG: list[tuple[str, Json, str]] = [
    ("depth", {"queue": {"maxDepth": 0}}, "spec.queue.maxDepth"),
    ("unknown", {"scaling": {"idleSeconds": 3}}, "spec.scaling.idleSeconds"),
    ("owned", {"engine": {"args": ["--port", "1"]}}, "spec.engine.args"),
    (
        "zone",
        {
            "scaling": {
                "maxReplicas": 2,
                "schedules": [
                    {"cron": "0 9 * * *", "timeZone": "Mars/Olympus", "forSeconds": 60, "minReplicas": 1}
                ],
            }
        },
        "timeZone",
    ),
    ("scheme", {"model": {"uri": "ftp://a/b"}}, "spec.model.uri"),
]


@pytest.mark.parametrize(("name", "spec", "field"), WRONG, ids=[name for name, _, _ in WRONG])
async def test_a_wrong_manifest_is_refused_with_the_webhooks_sentence(
    here: Place, up: Up, name: str, spec: Json, field: str
) -> None:
    wrong = service(name, **copy.deepcopy(spec))
    sentence = refusal(world_of(), wrong) or "no such field"  # what no schema knows only kubectl refuses
    put(here.manifests / f"{name}.yaml", text(wrong))
    await until(lambda: _complaints(up, f"{name}.yaml", field, sentence), f"{sentence!r} is said")
    assert (await up.gateway(name)) == {}
    (here.manifests / f"{name}.yaml").unlink()


async def test_a_name_that_is_taken_is_refused_with_its_holder(here: Place, up: Up) -> None:
    model = {"uri": "file:///models/simulated", "servedNames": ["of-a-folder"]}
    taken = service("second", model=model)
    sentence = refusal(world_of(known("of-a-folder", namespace=NAMESPACE)), taken)
    assert sentence is not None
    here.put(taken)
    await until(lambda: sentence in up.said(), f"{sentence!r} is said")
    (here.manifests / "second.yaml").unlink()


async def test_a_first_start_with_a_wrong_manifest_ends_with_a_sentence(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.put(service("wrong", queue={"maxDepth": 0}))
        said = await here.tidegate(*here.up_words())
        assert said.code == 1
        assert "wrong.yaml" in said.err
        assert "spec.queue.maxDepth" in said.err
        assert "Traceback" not in said.err


def _complaints(up: Up, *words: str) -> list[str]:
    """The lines on its stderr that have all these words."""
    return [line for line in up.said().splitlines() if all(word in line for word in words)]


async def _limit(up: Up, name: str, limit: int) -> bool:
    return bool((await up.gateway(name))["maxDepth"] == limit)


async def _replaced(up: Up, first: str) -> bool:
    uids = await _uids(up, "changing")
    return len(uids) == 1 and uids != [first]


async def _uids(up: Up, name: str) -> list[str]:
    return [pod["metadata"]["uid"] for pod in await up.pods(name)]


async def _unknown(up: Up, name: str) -> bool:
    return (await up.ask(name)).status_code == httpx.codes.NOT_FOUND


async def _absent(up: Up, name: str) -> bool:
    return not await up.shown(name)
