"""The commands beside a real `tidegate up`: what it says, what they say of it, and how it is ended."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from contextlib import suppress

import httpx

from tests.component.local.ledger import book
from tests.component.local.manifests import NAMESPACE, service
from tests.component.local.place import COMMAND, PORTS, Place, every_signal_heard
from tests.component.local.waiting import SECONDS, until

PARTS = ("queue", "process", "first byte")


async def test_it_says_where_it_listens_what_it_serves_each_phase_and_what_a_start_took(here: Place) -> None:
    here.put(service("tide", idle=1))
    up = await here.start()
    answer = await asyncio.wait_for(up.begin("tide", tokens=100, stream=True), SECONDS)  # a second
    assert answer.status_code == httpx.codes.OK, answer.text
    await up.wait_asleep("tide")
    await until(lambda: "first byte" in up.said(), "the start is told part by part")
    said = up.said()
    assert f"clients:   {up.url}/v1" in said
    assert f"state:     {here.state}" in said
    phases = re.findall(rf"^\d\d:\d\d:\d\d  {NAMESPACE}/tide +([A-Z]\w+)", said, re.MULTILINE)
    seen = [phase for phase in phases if phase != "Stopping"]  # over before it is looked at, or not
    assert seen == ["Idle", "Starting", "Running", "Idle"]
    assert "the next request wakes it" in said
    assert "0 → 1 workers: a request arrived" in said
    assert "1 → 0 workers: idle for 1 s" in said
    table = re.findall(r"^ +([\d.]+) s  (\w+(?: \w+)*)  ", said, re.MULTILINE)
    assert [name for _, name in table if name in PARTS] == list(PARTS)
    told = re.search(r"cold start: ([\d.]+) s from the request to the first byte of its answer", said)
    assert told is not None
    assert round(sum(float(seconds) for seconds, _ in table), 2) == float(told[1])


async def test_what_runs_is_told_as_a_table_as_json_and_in_sentences(here: Place) -> None:
    here.put(service("tide", idle=600), service("other"))
    up = await here.start()
    await up.answered("tide")
    await up.wait_phase("tide", "Running")
    await up.wait_phase("other", "Idle")
    state = ("--state", str(here.state))
    table = await here.tidegate("get", *state)
    rows = {line.split()[0]: line.split()[1:] for line in table.out.splitlines()}
    assert rows["NAME"] == ["PHASE", "READY", "QUEUE", "MODEL", "REASON", "AGE"]
    assert rows["tide"][:2] == ["Running", "1/1"]
    assert rows["other"][:2] == ["Idle", "0/0"]
    whole = await here.tidegate("get", "tide", "-o", "json", *state)
    assert json.loads(whole.out)["status"]["phase"] == "Running"
    [pod] = await up.pods("tide")
    described = await here.tidegate("describe", "tide", *state)
    assert pod["metadata"]["name"] in described.out
    assert f"Process:   {here.leaders()[0].number}" in described.out
    assert pod["status"]["podIP"] in described.out
    assert f"Log:       {here.state}/logs/{NAMESPACE}/{pod['metadata']['name']}.log" in described.out
    logs = await here.tidegate("logs", "tide", *state)
    assert "engine-sim: serving" in logs.out
    explained = await here.tidegate("explain", "tide", "--local", *state)
    assert explained.out.startswith(f"tide in namespace {NAMESPACE} is running: 1 worker is ready.")
    assert "If nothing comes it goes to sleep at" in explained.out


async def test_a_watch_shows_each_phase_and_ends_with_the_up(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    async with here.going_on("get", "--watch", "--state", str(here.state)) as (process, seen):
        await up.answered("tide")
        await until(lambda: "Running" in seen.read_text(), "the watch shows that it runs")
        assert await up.stop() == 0, up.said()
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    assert seen.read_text().startswith("NAME")
    assert "has ended" in seen.read_text()


async def test_followed_logs_tell_of_a_restart_and_go_on(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    await up.answered("tide")
    async with here.going_on("logs", "tide", "--follow", "--state", str(here.state)) as (process, log):
        await until(lambda: "serving" in log.read_text(), "the log is there")
        here.leaders()[0].kill()
        await until(lambda: log.read_text().count("serving") == 2, "the log of the next process is there")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), SECONDS) == 130
    previous = await here.tidegate("logs", "tide", "--previous", "--state", str(here.state))
    assert "serving" in previous.out, previous
    assert "begins again" in log.read_text()


async def test_a_first_interrupt_waits_for_what_runs_and_a_second_one_does_not(here: Place) -> None:
    async with book() as told:
        here.put(
            service("tide", {"ENGINE_REPORT_TO": told.address, "ENGINE_TOKENS_PER_SECOND": "1"}, idle=600)
        )
        up = await here.start()
        stream = up.begin("tide", tokens=600, stream=True, request_id="one")
        await until(lambda: told.read().begun["one"], "the stream runs")
        up.process.send_signal(signal.SIGINT)
        await until(lambda: "ending: 1 request to finish" in up.said(), "it says what it waits for")
        assert up.process.returncode is None
        up.process.send_signal(signal.SIGINT)
        assert await up.ended() == 0, up.said()
        assert "ending at once" in up.said()
        with suppress(httpx.HTTPError):
            await asyncio.wait_for(stream, SECONDS)
    assert here.processes() == []


async def test_down_shows_what_it_waits_for_and_now_does_not_wait(here: Place) -> None:
    async with book() as told:
        here.put(
            service("tide", {"ENGINE_REPORT_TO": told.address, "ENGINE_TOKENS_PER_SECOND": "1"}, idle=600)
        )
        up = await here.start()
        stream = up.begin("tide", tokens=600, stream=True, request_id="one")
        await until(lambda: told.read().begun["one"], "the stream runs")
        waiting = asyncio.create_task(here.tidegate("down", "--state", str(here.state)))
        await until(lambda: "ending: 1 request to finish" in up.said(), "it says what it waits for")
        now = await here.tidegate("down", "--now", "--state", str(here.state))
        said = await asyncio.wait_for(waiting, SECONDS)
        assert (now.code, said.code) == (0, 0)
        assert "ending: 1 request to finish" in said.err
        assert said.err.splitlines()[-1] == "tidegate: down"
        assert await up.ended() == 0, up.said()
        with suppress(httpx.HTTPError):
            await asyncio.wait_for(stream, SECONDS)
    assert here.processes() == []


async def test_a_terminal_that_is_closed_ends_it_as_a_signal_would(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    await up.answered("tide")
    up.process.send_signal(signal.SIGHUP)
    assert await up.ended() == 0, up.said()
    assert here.processes() == []


async def test_what_was_told_of_a_killed_up_is_ended_by_down_and_nothing_is_left_to_end(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    await up.answered("tide")
    await up.kill()
    state = ("--state", str(here.state))
    asked = await here.tidegate("get", *state)
    assert asked.code == 1
    assert "no tidegate up runs" in asked.err
    first = await here.tidegate("down", *state)
    assert (first.code, here.processes()) == (0, [])
    assert "which a tidegate up has left" in first.err
    again = await here.tidegate("down", *state)
    assert (again.code, "nothing runs" in again.err) == (0, True)


async def test_a_port_that_is_taken_is_a_sentence_with_the_option(here: Place) -> None:
    here.put(service("tide"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = (*here.up_words(), "--listen", f"127.0.0.1:{port}")
        said = await here.tidegate(*words)
    assert said.code == 1
    assert said.err.splitlines()[-1] == f"tidegate: --listen 127.0.0.1:{port}: Address already in use"


async def test_a_folder_without_a_service_is_refused_before_anything_listens(here: Place) -> None:
    said = await here.tidegate(*here.up_words(str(here.folder / "missing.yaml")))
    assert said.code == 1
    assert "missing.yaml" in said.err
    assert "Traceback" not in said.err


async def test_the_access_log_is_on_where_stdout_is_no_terminal(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    await up.answered("tide")
    log = up.stderr.with_name(f"access-{up.stderr.name}")
    await until(lambda: '"outcome":"completed"' in log.read_text(), "the request is in the access log")


async def test_a_terminal_sees_the_lines_of_up_and_no_access_log(here: Place) -> None:
    here.put(service("tide", idle=600))
    reader, terminal = os.openpty()
    with every_signal_heard():
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, *here.up_words()), stdout=terminal, stderr=terminal, env=here.environment
        )
    os.close(terminal)
    seen = bytearray()
    os.set_blocking(reader, False)
    asyncio.get_running_loop().add_reader(reader, _take, reader, seen)
    try:
        # what is there so far may end within a character
        await until(lambda: PORTS.search(seen.decode(errors="ignore")), "it tells its ports")
        ports = PORTS.search(seen.decode(errors="ignore"))
        assert ports is not None
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as http:
            body = {"model": "tide", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
            url = f"http://127.0.0.1:{ports[1]}/{NAMESPACE}/tide/v1/chat/completions"
            await until(lambda: b"wakes it" in seen, "it has a service")
            assert (await http.post(url, json=body)).status_code == httpx.codes.OK
        await until(lambda: b"cold start:" in seen, "the start is told")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0
        await until(lambda: b"  ended" in seen, "its last line is there")
    finally:
        asyncio.get_running_loop().remove_reader(reader)
        os.close(reader)
        with suppress(ProcessLookupError):
            process.kill()
    assert b"outcome" not in seen
    assert b"Traceback" not in seen


def _take(reader: int, seen: bytearray) -> None:
    with suppress(OSError):  # the other side is closed
        seen += os.read(reader, 65536)
