"""A state folder with one `tidegate up` after another, and the certainty that nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.component.local import manifests
from tests.component.local.groups import groups_of, remove_groups
from tests.component.local.manifests import Json
from tests.component.local.marked import Marked, leaders, marked
from tests.component.local.up import Up
from tests.component.local.waiting import SECONDS, until

COMMAND = (sys.executable, "-m", "tidegate.cli")
PORTS = re.compile(r"traffic on port (\d+), admin on port (\d+)\s")
# What a user's own environment may say and these tests decide themselves.
UNSET = (
    *("STATE_DIRECTORY", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "CUDA_VISIBLE_DEVICES"),
    *("IDLE_TIMEOUT_SEC", "Q_MAX", "ENABLE_SUPERVISOR", "TIDEGATE_WORKER_COMMAND"),
)


@contextmanager
def every_signal_heard() -> Iterator[None]:
    """What begins within it ignores no signal that these tests send; nohup has SIGHUP ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    ignored = [number for number, handler in before.items() if handler is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


@dataclass(frozen=True)
class Said:
    """What a command that has ended left behind."""

    code: int
    out: str
    err: str


@dataclass
class Place:
    """A state folder and a folder of manifests, with one `tidegate up` after another."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)  # of the environment, beside the user's own
    ups: list[Up] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def manifests(self) -> Path:
        return self.folder / "manifests"

    def put(self, *services: Json) -> None:
        """Each into a file of its own, anew where there is one."""
        self.manifests.mkdir(exist_ok=True)
        for each in services:
            manifests.write(self.manifests / f"{each['metadata']['name']}.yaml", each)

    def processes(self) -> list[Marked]:
        """All that workers of this place run."""
        return marked(self.state)

    def leaders(self) -> list[Marked]:
        """The first process of each worker of this place."""
        return leaders(self.state)

    @property
    def environment(self) -> dict[str, str]:
        """A user's who has nothing but a home."""
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        # What other tests' workers have to themselves is told elsewhere.
        own = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        return kept | own | dict(self.variables)

    async def tidegate(self, *words: str, stdin: bytes = b"") -> Said:
        """Another command, from its start to its end."""
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin), SECONDS)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        return Said(await process.wait(), out.decode(), err.decode())

    @asynccontextmanager
    async def going_on(self, *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
        """A command that runs for as long as the block, and the file of all that it says; it is killed where
        it has not ended by then."""
        said = self.folder / f"said-{len(list(self.folder.glob('said-*')))}"
        with said.open("wb") as out, every_signal_heard():
            process = await asyncio.create_subprocess_exec(
                *(*COMMAND, *words), stdout=out, stderr=out, env=self.environment
            )
        try:
            yield process, said
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def up_words(self, *sources: str) -> tuple[str, ...]:
        """The command line of `up` over ``sources``, the folder of manifests where none is named."""
        named = sources or (str(self.manifests),)
        words = [word for source in named for word in ("-f", source)]
        ports = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
        return ("up", *words, *ports, "--state", str(self.state))

    async def begin(
        self, *sources: str, stdin: bytes | None = None, under: Sequence[str] = ()
    ) -> tuple[asyncio.subprocess.Process, Path]:
        """The process alone, and the file of its stderr; ``under``: a command that runs it."""
        stderr = self.folder / f"stderr-{len(list(self.folder.glob('stderr-*')))}"
        beside = stderr.with_name(f"access-{stderr.name}")
        with stderr.open("wb") as errors, beside.open("wb") as accesses, every_signal_heard():
            process = await asyncio.create_subprocess_exec(
                *(*under, *COMMAND, "--log-level", "INFO", *self.up_words(*sources)),
                stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
                stdout=accesses,
                stderr=errors,
                env=self.environment,
            )
        if process.stdin is not None:
            process.stdin.write(stdin or b"")
            process.stdin.close()
        return process, stderr

    async def start(self, *sources: str, stdin: bytes | None = None, under: Sequence[str] = ()) -> Up:
        """A `tidegate up` that serves."""
        process, stderr = await self.begin(*sources, stdin=stdin, under=under)
        # By way of the folder's descriptor: a socket's path has 107 bytes at most, a folder's has not.
        descriptor = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        control = f"/proc/self/fd/{descriptor}/{self.state.name}/control.sock"
        transport = httpx.AsyncHTTPTransport(uds=control)
        up = Up(
            *(process, stderr, 0, 0, descriptor),
            httpx.AsyncClient(timeout=SECONDS, trust_env=False),
            httpx.AsyncClient(transport=transport, base_url="http://up", timeout=SECONDS),
        )
        self.ups.append(up)
        await until(lambda: PORTS.search(up.said()) or process.returncode is not None, "up tells its ports")
        found = PORTS.search(up.said())
        assert found, f"up ended: {up.said()}"
        up.port, up.admin = map(int, found.groups())
        await until(lambda: _serves(up), "up serves")
        return up

    async def empty(self) -> None:
        """Returns when no process of a worker is left."""
        await until(lambda: not self.processes(), f"no worker is left: {self.processes()}")

    async def close(self) -> None:
        """Ends whatever there is, by force where it must."""
        for up in self.ups:
            await up.kill()
            await up.http.aclose()
            await up.socket.aclose()
            os.close(up.descriptor)
        for process in self.processes():
            process.kill()
        await remove_groups(self.state)


async def _serves(up: Up) -> bool:
    """Whether the gateway has heard of all services and the control socket answers."""
    if up.process.returncode is not None:
        raise AssertionError(f"up ended: {up.said()}")
    try:
        ready = await up.http.get(f"http://127.0.0.1:{up.admin}/readyz")
        shown = await up.socket.get("/services")
    except httpx.TransportError:
        return False
    return ready.status_code == shown.status_code == httpx.codes.OK


@asynccontextmanager
async def place(folder: Path, **variables: str) -> AsyncIterator[Place]:
    """A place within the block, with these variables in its environment. A block that ends well leaves by
    SIGTERM: the last `up` exits with 0, and no process of a worker is left."""
    found = Place(folder, variables)
    try:
        yield found
        if found.ups and found.ups[-1].process.returncode is None:
            assert await found.ups[-1].stop() == 0, found.ups[-1].said()
            assert groups_of(found.state) == []
        assert found.processes() == []
    finally:
        await found.close()
