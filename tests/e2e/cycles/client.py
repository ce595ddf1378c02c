"""A client that knows of each of its requests what became of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.e2e.cycles.plan import Phase

BUDGET = 90.0  # seconds for one answer: what holds a request longer is a fault of its own


@dataclass
class Sent:
    """One request, and how it ended; ``failure`` is empty where its answer came whole."""

    id: str
    service: str
    planned: Phase
    seen: str  # the phase that the service was in when it was sent, as far as anybody could see
    stream: bool
    tokens: int
    seconds: float = 0.0
    status: int = 0
    failure: str = "no answer"


class Client:
    """Sends chat requests to services by their paths; a connection is kept where the gateway keeps it."""

    def __init__(self, url: str, namespace: str, http: httpx.AsyncClient) -> None:
        self._url = f"{url}/{namespace}"
        self._http = http
        self.sent: list[Sent] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, request: Sent) -> asyncio.Task[None]:
        """The task ends with the request's answer, whatever that is; it never raises."""
        self.sent.append(request)
        task = asyncio.create_task(self._send(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Gives up what is still under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self, request: Sent) -> None:
        body = {
            "model": request.service,
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": request.tokens,
            "stream": request.stream,
        }
        began = time.monotonic()
        url = f"{self._url}/{request.service}/v1/chat/completions"
        try:
            async with asyncio.timeout(BUDGET):
                answer = await self._http.post(url, json=body, headers={"x-request-id": request.id})
            request.status = answer.status_code
            request.failure = _missing(request, answer)
        except (httpx.HTTPError, TimeoutError) as error:
            request.failure = f"{type(error).__name__}: {error}"
        request.seconds = time.monotonic() - began


def _missing(request: Sent, answer: httpx.Response) -> str:
    """What is wrong with an answer; empty where every token came exactly once, in order."""
    if answer.status_code != httpx.codes.OK:
        return f"{answer.status_code}: {answer.text[:300]}"
    text = _streamed(answer.text) if request.stream else _whole(answer.text)
    expected = " ".join(f"word{number}" for number in range(request.tokens))
    return "" if text == expected else f"{len(text.split())} of {request.tokens} tokens: …{text[-80:]}"


def _whole(text: str) -> str:
    return str(json.loads(text)["choices"][0]["message"]["content"])


def _streamed(text: str) -> str:
    events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    if not events or events[-1] != "[DONE]":
        return f"no end after {events[-1:]}"
    choices = [choice for event in events[:-1] for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)


@asynccontextmanager
async def client(url: str, namespace: str) -> AsyncIterator[Client]:
    """A client within the block; what is still under way at its end is given up."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    async with httpx.AsyncClient(trust_env=False, timeout=None, limits=limits) as http:  # noqa: S113
        found = Client(url, namespace, http)
        try:
            yield found
        finally:
            await found.close()
