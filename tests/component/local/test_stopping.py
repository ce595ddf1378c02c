"""How `tidegate up` ends, and who may run beside it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import httpx

from tests.component.local.ledger import book
from tests.component.local.manifests import service
from tests.component.local.place import Place, place
from tests.component.local.up import Up
from tests.component.local.waiting import SECONDS, until


async def test_sigterm_lets_a_stream_finish_ends_the_workers_and_exits_0(here: Place) -> None:
    async with book() as told:
        here.put(service("tide", {"ENGINE_REPORT_TO": told.address}, idle=600))
        up = await here.start()
        stream = up.begin("tide", tokens=300, stream=True, request_id="one")
        await until(lambda: told.read().begun["one"], "the stream runs")
        up.process.send_signal(signal.SIGTERM)
        answer = await asyncio.wait_for(stream, SECONDS)
        assert answer.text.count("data: ") == 302  # the tokens, the last event, [DONE]
        assert answer.text.endswith("data: [DONE]\n\n")
        assert await up.ended() == 0, up.said()
    assert here.processes() == []


async def test_while_it_drains_it_can_be_asked_and_counts_requests_of_services_without_a_manifest(
    here: Place,
) -> None:
    async with book() as told:
        here.put(
            service("tide", {"ENGINE_REPORT_TO": told.address, "ENGINE_TOKENS_PER_SECOND": "1"}, idle=600),
            service("other"),
        )
        up = await here.start()
        stream = up.begin("tide", tokens=600, stream=True, request_id="one")
        await until(lambda: told.read().begun["one"], "the stream runs")
        (here.manifests / "tide.yaml").unlink()
        await until(lambda: _unknown(up, "tide"), "the gateway does not know it any more")
        up.process.send_signal(signal.SIGINT)
        await until(lambda: "ending: 1 request to finish" in up.said(), "it says what it waits for")
        asked = await here.tidegate("get", "other", "--state", str(here.state))
        assert (asked.code, asked.err) == (0, ""), asked
        up.process.send_signal(signal.SIGINT)
        assert await up.ended() == 0, up.said()
        assert "Traceback" not in up.said()
        with suppress(httpx.HTTPError):
            await asyncio.wait_for(stream, SECONDS)
    assert here.processes() == []


async def _unknown(up: Up, name: str) -> bool:
    return not await up.gateway(name)


async def test_down_ends_a_running_up_and_its_workers(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    await up.answered("tide")
    said = await here.tidegate("down", "--state", str(here.state))
    assert said.code == 0, said
    assert here.processes() == []
    assert await up.ended() == 0, up.said()


async def test_a_second_one_on_the_same_state_is_refused_with_the_holder_and_two_states_do_not_meet(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    async with place(folders[0]) as here, place(folders[1]) as there:
        for each in (here, there):
            each.put(service("tide", idle=600))
        one, other = await asyncio.gather(here.start(), there.start())
        refused = await here.tidegate(*here.up_words())
        assert refused.code == 1
        assert str(one.process.pid) in refused.err
        assert "Traceback" not in refused.err
        await asyncio.gather(one.answered("tide"), other.answered("tide"))
        addresses = [(await up.pods("tide"))[0]["status"]["podIP"] for up in (one, other)]
        assert addresses[0] != addresses[1]
        assert await other.stop() == 0
        assert (await one.ask("tide")).status_code == httpx.codes.OK
