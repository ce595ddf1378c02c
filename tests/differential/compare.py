"""Runs the corpus through tidegate, nginx and HAProxy, and says where they differ."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.component.gateway.corpus.case import LAST, Case, Seen
from tests.component.gateway.harness import HandSubstrate, config, gateway, ready, worker
from tests.component.gateway.recording import Recorder, exchange, recorder
from tests.differential import proxies
from tidegate.domain.service import ServiceView

PROXIES = ("tidegate", "nginx", "haproxy")
_LANES = 8  # cases at once in each proxy, each lane with a backend of its own
_SECONDS = 3.0  # for a proxy that waits for more and closes nothing; each case ends by a close elsewhere


@dataclass(frozen=True)
class Verdict:
    """What one proxy made of one case."""

    seen: tuple[Seen, ...]  # whole requests that reached the backend, the closing one of the run included
    statuses: tuple[int, ...]

    def short(self) -> str:
        """For a table's cell: ``1 passed`` or ``refused 400``, or both."""
        passed = [f"{len(self.seen)} passed"] if self.seen else []
        refusals = [f"refused {status}" for status in self.statuses if status >= 400]
        return ", ".join([*passed, *refusals]) or "nothing"


@dataclass(frozen=True)
class Row:
    """What all three made of one case."""

    case: Case
    verdicts: dict[str, Verdict]

    def wider_than(self) -> list[str]:
        """The proxies that let fewer requests through than tidegate did."""
        ours = self.verdicts["tidegate"]
        return [name for name in PROXIES[1:] if len(self.verdicts[name].seen) < len(ours.seen)]

    def differs_from(self) -> list[str]:
        """The proxies whose backend saw something else than ours."""
        ours = self.verdicts["tidegate"]
        return [name for name in PROXIES[1:] if self.verdicts[name].seen != ours.seen]


async def compare(cases: list[Case], folder: Path) -> list[Row]:
    """Each case through each proxy, in the order of ``cases``."""
    verdicts = [await _through(name, cases, folder) for name in PROXIES]
    return [
        Row(case, dict(zip(PROXIES, three, strict=True)))
        for case, *three in zip(cases, *verdicts, strict=True)
    ]


async def _through(name: str, cases: list[Case], folder: Path) -> list[Verdict]:
    found: dict[str, Verdict] = {}
    waiting = iter(cases)

    async def lane(number: int) -> None:
        own = folder / f"{name}-{number}"
        own.mkdir()
        async with recorder() as backend, _proxy(name, backend, own) as port:
            for case in waiting:
                statuses, _ = await exchange(port, case.data + LAST, _SECONDS)
                found[case.name] = Verdict(tuple(backend.taken()), tuple(statuses))

    await asyncio.gather(*map(lane, range(_LANES)))
    return [found[case.name] for case in cases]


@contextlib.asynccontextmanager
async def _proxy(name: str, backend: Recorder, folder: Path) -> AsyncIterator[int]:
    if name == "nginx":
        async with proxies.nginx(backend.port, folder) as port:
            yield port
    elif name == "haproxy":
        async with proxies.haproxy(backend.port, folder) as port:
            yield port
    else:
        substrate = HandSubstrate(ServiceView(config(), (worker(backend.port, ready=True),)))
        async with gateway(substrate) as running:
            await ready(running)
            yield running.port


def by_difference(rows: list[Row]) -> dict[bool, list[Row]]:
    """The rows that differ (True) and those that do not."""
    ordered = sorted(rows, key=lambda row: bool(row.differs_from()))
    grouped = itertools.groupby(ordered, key=lambda row: bool(row.differs_from()))
    return {False: [], True: [], **{key: list(group) for key, group in grouped}}
