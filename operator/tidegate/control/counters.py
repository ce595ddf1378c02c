"""The workers' own counters: who has the last word before a service is put to sleep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from tidegate.domain.scaling import Counters
from tidegate.domain.service import ServiceKey
from tidegate.resources.names import WORKER_PORT

_logger = logging.getLogger(__name__)

_BUDGET = 2.0  # seconds for one worker's answer
_GAUGES = ("vllm:num_requests_running", "vllm:num_requests_waiting")
_TOTAL = "vllm:request_success_total"


@dataclass(frozen=True, slots=True)
class WorkerCounters:
    """One worker's numbers: requests that run or wait, and those that have ended well."""

    active: float
    ended: float


def parse_counters(text: str) -> WorkerCounters | None:
    """From the text of /metrics; None where vLLM's gauges are not in it."""
    samples = [parts for line in text.splitlines() if len(parts := _sample(line)) == 2]
    active = [float(value) for name, value in samples if name in _GAUGES]
    ended = sum(float(value) for name, value in samples if name == _TOTAL)
    return WorkerCounters(sum(active), ended) if len(active) >= len(_GAUGES) else None


def _sample(line: str) -> tuple[str, ...]:
    """The name without labels, and the value, of a line of the exposition format."""
    if not line.startswith("vllm:"):
        return ()
    return line.partition("{")[0].split()[0], line.rsplit(maxsplit=1)[-1]


@dataclass
class _Memory:
    first_asked: float
    ended: dict[str, float]
    last_busy: float | None = None


class CounterWatch:
    """Asks workers, and remembers since when and with what, so that work between two looks is noticed."""

    def __init__(self, client: httpx.AsyncClient, port: int = WORKER_PORT) -> None:
        self._client = client
        self._port = port
        self._memories: dict[ServiceKey, _Memory] = {}

    async def ask(self, key: ServiceKey, hosts: Mapping[str, str], now: float) -> Counters:
        """Ask the ready workers of a service; ``hosts``: pod name -> address. Never raises."""
        heard = await self.look(hosts)
        memory = self._memories.get(key)
        if memory is None or memory.ended.keys() != hosts.keys():
            memory = self._memories[key] = _Memory(now, dict.fromkeys(hosts, -1.0))
        busy = any(answer.active > 0 for answer in heard.values())
        if busy or _progressed(memory, heard):
            memory.last_busy = now
        memory.ended.update({pod: answer.ended for pod, answer in heard.items()})
        return Counters(busy, memory.first_asked, memory.last_busy, complete=len(heard) == len(hosts))

    async def look(self, hosts: Mapping[str, str]) -> dict[str, WorkerCounters]:
        """What those workers tell that answer in time; ``hosts``: pod name -> address. Never raises."""
        answers = dict(zip(hosts, await asyncio.gather(*map(self._fetch, hosts.values())), strict=True))
        return {pod: answer for pod, answer in answers.items() if answer is not None}

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._memories.pop(key, None)

    async def _fetch(self, host: str) -> WorkerCounters | None:
        name = f"[{host}]" if ":" in host else host
        try:
            async with asyncio.timeout(_BUDGET):
                response = await self._client.get(f"http://{name}:{self._port}/metrics")
            return parse_counters(response.text) if response.status_code == 200 else None
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            _logger.debug("worker %s does not tell its counters: %s", host, error)
            return None


def _progressed(memory: _Memory, heard: Mapping[str, WorkerCounters]) -> bool:
    """Whether a request has ended since the last look; -1 stands for no look yet."""
    return any(0 <= memory.ended[pod] != answer.ended for pod, answer in heard.items())
