"""/metrics: correct at any size, and never in the way of a stream."""

from __future__ import annotations

import asyncio
import sys
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    engine,
    gateway,
    post,
    ready,
    scripted,
    worker,
)
from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey, ServiceView
from tidegate.domain.start_parts import Part
from tidegate.gateway.server import Gateway
from tidegate.gateway.usage import Usage

CHAT = {"model": "m", "messages": [], "max_tokens": 3}


def busy_services(count: int) -> list[ServiceView]:
    """Services without workers, beside the one that the test uses."""
    return [ServiceView(config(ServiceKey("many", f"s{n}"), served_names=(f"s{n}",))) for n in range(count)]


def used(running: Gateway) -> None:
    """Every service has every series that it can have: the most that a scrape can cost."""
    for service in running.fleet.services.values():
        for start in (0, 1):
            service.meters.timings(start, 0.0, 0.1, 2.6)
            service.meters.stream(start, 0.3, 40, 2.3)
        for outcome, status in ((Outcome.COMPLETED, 200), (Outcome.CLIENT_GONE, 499)):
            service.meters.request(outcome, status)
        service.meters.rejected("depth")
        service.meters.tokens(Usage(prompt_tokens=12, completion_tokens=40))
        service.meters.woken()
        service.meters.cold_start(dict.fromkeys((Part.API, Part.SCHEDULING, Part.FIRST_BYTE), 1.0))


async def test_a_scrape_of_a_thousand_services_delays_no_chunk_of_a_stream_by_twenty_milliseconds() -> None:
    """Chunks come each millisecond, the scraper is another process. A gap is counted in CPU time of this
    thread, in which the gateway runs: what stalls the loop is in it, what else the machine does is not."""
    async with scripted(_tick) as port:
        view = ServiceView(config(), (worker(port),))
        async with gateway(HandSubstrate(view, *busy_services(1000))) as running:
            await ready(running)
            used(running)
            async with connection(running.port) as (reader, writer):
                writer.write(post(b'{"model": "m", "stream": true}'))
                await reader.readuntil(b"data: x")
                scrapes = [await _scraped(reader, running.admin_port) for _ in range(5)]
    assert all(text.count(b"gateway_request_seconds_count") == 2 * 1001 for text, _ in scrapes)
    # A virtual machine's clock of CPU time goes on while its host gives the core to others.
    assert min(max(gaps) for _, gaps in scrapes if len(gaps) > 50) < 0.020


async def _scraped(reader: asyncio.StreamReader, port: int) -> tuple[bytes, list[float]]:
    """What a scrape says, and the gaps of the stream meanwhile."""
    gaps: list[float] = []
    watching = asyncio.create_task(_watch(reader, gaps))
    try:
        return await _scrape(port), gaps
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _tick(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"9\r\ndata: x\n\n\r\n")
        await asyncio.sleep(0.001)


async def _watch(reader: asyncio.StreamReader, gaps: list[float]) -> None:
    last = time.thread_time()
    while await reader.read(65536):
        now = time.thread_time()
        gaps.append(now - last)
        last = now


async def _scrape(port: int) -> bytes:
    get = f"import sys, urllib.request as r; sys.stdout.buffer.write(r.urlopen('http://127.0.0.1:{port}/metrics').read())"
    scraper = await asyncio.create_subprocess_exec(sys.executable, "-c", get, stdout=asyncio.subprocess.PIPE)
    text, _ = await scraper.communicate()
    return text


async def test_the_exposition_is_what_prometheus_reads_and_says_what_happened() -> None:
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(), (worker(quick.port),))
        async with gateway(HandSubstrate(view)) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            for _ in range(3):
                await client.post(url, json=CHAT)
            await client.post(url, json={**CHAT, "stream": True})
            await client.post(url, json={**CHAT, "model": "nope"})
            text = (await client.get(f"http://127.0.0.1:{running.admin_port}/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    ours = {"namespace": "team-a", "service": "qwen"}

    def value(family: str, sample: str, **labels: str) -> float:
        wanted = {**ours, **labels}
        return next(s.value for s in families[family].samples if s.name == sample and s.labels == wanted)

    assert value("gateway_requests", "gateway_requests_total", outcome="completed", code="200") == 4
    assert value("gateway_queue_depth", "gateway_queue_depth") == 0
    assert value("gateway_worker_state", "gateway_worker_state", state="running") == 1
    for family in ("gateway_delay_seconds", "gateway_execution_seconds", "gateway_request_seconds"):
        assert value(family, f"{family}_count", start="warm") == 4
        assert value(family, f"{family}_bucket", start="warm", le="+Inf") == 4
    first = "gateway_time_to_first_token_seconds"
    assert value(first, f"{first}_count", start="warm") == 1
    (unknown,) = (s for s in families["gateway_rejected"].samples if s.labels["reason"] == "model_not_found")
    assert unknown.value == 1


async def test_a_removed_service_leaves_no_series() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        used(running)
        url = f"http://127.0.0.1:{running.admin_port}/metrics"
        assert 'service="qwen"' in (await client.get(url)).text
        substrate.remove(KEY)
        text = (await client.get(url)).text
    assert 'service="qwen"' not in text
    assert text.count("# TYPE") == text.count("# HELP")


async def test_a_cold_start_is_told_by_its_parts() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with engine(tokens_per_second="0") as loaded:

        async def start(key: ServiceKey) -> None:
            substrate.show(ServiceView(config(), (worker(loaded.port),)))

        substrate.on_wake = start
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
            admin = f"http://127.0.0.1:{running.admin_port}"
            text = (await client.get(f"{admin}/metrics")).text
            status = (await client.get(f"{admin}/status")).json()
    parts = ("api", "scheduling", "image_and_container", "engine_and_load", "first_byte")
    for part in parts:
        labels = f'namespace="team-a",service="qwen",part="{part}"'
        assert f"gateway_cold_start_seconds_count{{{labels}}} 1" in text
    assert 'gateway_wakes_total{namespace="team-a",service="qwen"} 1' in text
    assert 'gateway_request_seconds_count{namespace="team-a",service="qwen",start="cold"} 1' in text
    assert 'gateway_cold_start_whole_seconds_count{namespace="team-a",service="qwen"} 1' in text
    told = status["services"][0]["lastColdStart"]
    assert (told["worker"], told["settled"], tuple(told["parts"])) == ("w0", True, parts)
    assert told["seconds"] == pytest.approx(sum(told["parts"].values()))
