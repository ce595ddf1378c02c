"""The gateway as a process over a file: what it reads, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.component.gateway.harness import connection, engine, post

COMMAND = (sys.executable, "-m", "tidegate.cli", "gateway")


def document(port: int, *, name: str = "qwen", spec: str = "") -> str:
    """One InferenceService with one endpoint on this machine."""
    return f"""
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata:
  name: {name}
  namespace: team-a
  annotations:
    tidegate.io/endpoints: "127.0.0.1:{port}"
spec:
  model: {{uri: "hf://org/model", servedNames: [m]}}
  resources: {{cpu: 1, memory: 1Gi}}
  {spec}
"""


@dataclass
class Running:
    """A gateway's process."""

    process: asyncio.subprocess.Process
    port: int
    admin_port: int


@contextlib.asynccontextmanager
async def process(file: Path, *arguments: str) -> AsyncIterator[Running]:
    """``tidegate gateway --file`` on free ports."""
    running = await asyncio.create_subprocess_exec(
        *(*COMMAND, "--file", str(file), *arguments),
        *("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        if running.stderr is None:
            raise AssertionError("the gateway has no messages")
        line = (await asyncio.wait_for(running.stderr.readline(), 120)).decode()
        numbers = [int(word.strip(",")) for word in line.split() if word.strip(",").isdigit()]
        started = Running(running, *numbers)
        async with httpx.AsyncClient(timeout=60) as client, asyncio.timeout(120):
            await _until_running(client, started.port)
        yield started
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def _until_running(client: httpx.AsyncClient, port: int) -> None:
    url = f"http://127.0.0.1:{port}/health"
    state = ""
    while state != "running":
        await asyncio.sleep(0.01)
        state = (await client.get(url)).json()["worker_state"]


async def test_sigterm_lets_a_running_stream_finish_takes_nothing_new_and_exits_0(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    async with engine(tokens_per_second="20") as slow:
        file.write_text(document(slow.port))
        async with process(file) as running, connection(running.port) as (reader, writer):
            writer.write(post(b'{"model": "m", "stream": true, "max_tokens": 100}'))
            await reader.readuntil(b"word0")
            running.process.send_signal(signal.SIGTERM)
            async with httpx.AsyncClient(timeout=60) as client, asyncio.timeout(120):
                ready = f"http://127.0.0.1:{running.admin_port}/readyz"
                status = 200
                while status == 200:
                    await asyncio.sleep(0.01)
                    status = (await client.get(ready)).status_code
            assert status == 503
            rest = await asyncio.wait_for(reader.read(), 60)
            assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
            assert await asyncio.wait_for(running.process.wait(), 60) == 0


async def test_the_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    async with engine() as quick:
        file.write_text(document(quick.port))
        async with process(file) as running, httpx.AsyncClient(timeout=60) as client, asyncio.timeout(120):
            models = f"http://127.0.0.1:{running.port}/v1/models"
            stderr = running.process.stderr
            assert stderr is not None
            rewrite(file, document(quick.port, spec="queue: {maxDepth: many}"))
            complaint = ""
            while "cannot be used" not in complaint:
                complaint = (await stderr.readline()).decode()
            assert "spec.queue.maxDepth" in complaint
            assert len((await client.get(models)).json()["data"]) == 1
            rewrite(file, document(quick.port) + "---" + document(quick.port, name="second"))
            await _until_models(client, running.port, ["team-a/qwen", "team-a/second"])
            rewrite(file, document(quick.port, name="second"))
            await _until_models(client, running.port, ["team-a/second"])


def rewrite(file: Path, text: str) -> None:
    """In one step, so that nobody reads half of it."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


async def _until_models(client: httpx.AsyncClient, port: int, roots: list[str]) -> None:
    found: list[str] = []
    while found != roots:
        await asyncio.sleep(0.02)
        answer = await client.get(f"http://127.0.0.1:{port}/v1/models")
        found = [card["root"] for card in answer.json()["data"]]


async def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(document(1))
    async with engine() as taken:
        failed = await asyncio.create_subprocess_exec(
            *(*COMMAND, "--file", str(file)),
            *("--listen", f"127.0.0.1:{taken.port}", "--admin-listen", "127.0.0.1:0"),
            stderr=asyncio.subprocess.PIPE,
        )
        _, stderr = await asyncio.wait_for(failed.communicate(), 60)
    assert failed.returncode == 1
    assert b"Traceback" not in stderr
    assert str(taken.port).encode() in stderr
