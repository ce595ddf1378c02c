"""A running `tidegate up`: what can be asked of it, and how it is ended."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.component.local.manifests import NAMESPACE, Json
from tests.component.local.waiting import SECONDS, until


@dataclass
class Up:
    """A running `tidegate up`."""

    process: asyncio.subprocess.Process
    stderr: Path
    port: int
    admin: int
    descriptor: int  # of the folder by which the control socket is reached
    http: httpx.AsyncClient
    socket: httpx.AsyncClient  # to its control socket

    @property
    def url(self) -> str:
        """Where clients ask; a service's own path is ``<url>/<namespace>/<name>``."""
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        """All that it has written on stderr."""
        return self.stderr.read_text(errors="replace")

    async def shown(self, name: str) -> Json:
        """A service, its Deployment and its pods as they are now; empty where there is no such service."""
        answer = await self.socket.get("/services")
        found = [each for each in answer.json()["items"] if each["service"]["metadata"]["name"] == name]
        return dict(found[0]) if found else {}

    async def status(self, name: str) -> Json:
        """The status of a service; empty before it has one."""
        return dict((await self.shown(name)).get("service", {}).get("status", {}))

    async def condition(self, name: str, kind: str) -> Json:
        """One condition of a service, empty before it has it."""
        conditions = (await self.status(name)).get("conditions", [])
        return dict(next((each for each in conditions if each["type"] == kind), {}))

    async def pods(self, name: str) -> list[Json]:
        """The workers of a service as pods."""
        return list((await self.shown(name)).get("pods", []))

    async def wait_asleep(self, name: str) -> None:
        """Returns when the service is Idle, and the last process of its workers has gone."""

        async def asleep() -> bool:
            shown = await self.shown(name)
            return bool(shown) and _phase(shown) == "Idle" and not shown["pods"]

        await until(asleep, f"{name} sleeps")

    async def wait_started(self, name: str, count: int) -> None:
        """Returns when so many cold starts are counted."""

        async def counted() -> bool:
            return bool((await self.status(name)).get("coldStarts", {}).get("count", 0) == count)

        await until(counted, f"{name} has started {count} times")

    async def wait_ready(self, name: str, *words: str) -> str:
        """Returns the condition Ready's reason and message as soon as they have all these words."""
        said = ""

        async def told() -> bool:
            nonlocal said
            ready = await self.condition(name, "Ready")
            said = f"{ready.get('reason')}: {ready.get('message')}"
            return all(word in said for word in words)

        await until(told, f"{name} tells {words}")
        return said

    async def wait_phase(self, name: str, phase: str) -> None:
        """Returns when the service is in the phase."""

        async def there() -> bool:
            return bool((await self.status(name)).get("phase") == phase)

        await until(there, f"{name} is {phase}")

    async def gateway(self, name: str) -> Json:
        """What the gateway's /status says of a service; empty where it knows none."""
        services = (await self.http.get(f"http://127.0.0.1:{self.admin}/status")).json()["services"]
        return dict(next((each for each in services if each["service"] == f"{NAMESPACE}/{name}"), {}))

    async def wakes(self) -> int:
        """How often the gateway has woken anybody."""
        said = (await self.http.get(f"http://127.0.0.1:{self.admin}/metrics")).text
        samples = [sample for family in text_string_to_metric_families(said) for sample in family.samples]
        return int(sum(sample.value for sample in samples if sample.name == "gateway_wakes_total"))

    def begin(
        self, name: str, *, tokens: int = 1, stream: bool = False, request_id: str = "", worker: str = ""
    ) -> asyncio.Task[httpx.Response]:
        """A request that is under way; the task ends with its whole answer. ``worker``: the url of one that
        is asked itself; empty: the gateway is."""
        message = {"role": "user", "content": "hello"}
        body = {"model": name, "messages": [message], "max_tokens": tokens, "stream": stream}
        url = f"{worker or f'{self.url}/{NAMESPACE}/{name}'}/v1/chat/completions"
        fields = {"x-request-id": request_id} if request_id else {}
        return asyncio.create_task(self.http.post(url, json=body, headers=fields))

    async def ask(self, name: str) -> httpx.Response:
        """The answer to one small request."""
        return await asyncio.wait_for(self.begin(name), SECONDS)

    async def answered(self, name: str) -> None:
        """One request is answered with 200."""
        answer = await self.ask(name)
        assert answer.status_code == httpx.codes.OK, f"{answer.status_code}: {answer.text}\n{self.said()}"

    async def kill(self) -> None:
        """SIGKILL: it has no chance to tidy up."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """The exit code of one that is about to end."""
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()


def _phase(shown: Json) -> str:
    return str(shown["service"].get("status", {}).get("phase", ""))
