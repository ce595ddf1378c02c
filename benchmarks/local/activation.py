"""A service from zero through `tidegate up`, beside the bare process, in interleaved pairs."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.report import Findings, Goal, Measure
from local.bare import Bare, first_byte
from tests.component.local.manifests import NAMESPACE
from tests.component.local.place import Place
from tests.component.local.up import Up
from tidegate.resources.names import WORKER_PORT
from wake.figures import p95

UP, BARE = "up", "bare"
GOAL = Goal(1.05, of=UP)


@dataclass(frozen=True)
class Subject:
    """One service that is woken. ``every``: seconds between two tries to reach the bare process."""

    name: str
    text: str
    every: float


@dataclass
class Wake:
    """Seconds until the first byte of the answer, and the gateway's parts of them."""

    seconds: float
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    up: Wake
    bare: Wake

    @property
    def ratio(self) -> float:
        return self.up.seconds / self.bare.seconds


async def activation(here: Place, up: Up, subject: Subject, pairs: int) -> Findings:
    """Every other pair begins with the bare process; a first one does not count."""
    bare = await _as_started(here, up, subject)
    await _pair(here, up, bare, subject, bare_first=True)
    found, findings = [], Findings()
    for number in range(pairs):
        pair = await _pair(here, up, bare, subject, bare_first=bool(number % 2))
        found.append(pair)
        one = {"what": subject.name, UP: asdict(pair.up), BARE: pair.bare.seconds, "ratio": pair.ratio}
        findings.rounds.append(one)
        print(json.dumps(one), flush=True)
    findings.measures += _measures(subject, found)
    return findings


async def _as_started(here: Place, up: Up, subject: Subject) -> Bare:
    """What `up` starts, read from the first worker."""
    await up.answered(subject.name)
    [leader] = here.leaders()
    [pod] = await up.pods(subject.name)
    return Bare.of(leader, pod["status"]["podIP"])


async def _pair(here: Place, up: Up, bare: Bare, subject: Subject, *, bare_first: bool) -> Pair:
    if bare_first:
        other = await _bare(here, up, bare, subject)
        return Pair(await _ours(here, up, subject), other)
    ours = await _ours(here, up, subject)
    return Pair(ours, await _bare(here, up, bare, subject))


async def _ours(here: Place, up: Up, subject: Subject) -> Wake:
    await _asleep(here, up, subject)
    request = _request(subject, f"/{NAMESPACE}/{subject.name}", up.port)
    began = time.monotonic()
    seconds = first_byte("127.0.0.1", up.port, request, subject.every) - began
    start = (await up.gateway(subject.name))["lastColdStart"]
    return Wake(round(seconds, 4), start["parts"])


async def _bare(here: Place, up: Up, bare: Bare, subject: Subject) -> Wake:
    await _asleep(here, up, subject)
    request = _request(subject, "", WORKER_PORT)
    began = time.monotonic()
    with bare.running(Path(here.folder, "bare.log")):
        return Wake(round(first_byte(bare.host, WORKER_PORT, request, subject.every) - began, 4))


async def _asleep(here: Place, up: Up, subject: Subject) -> None:
    """Nothing of the start before is left."""
    await up.wait_asleep(subject.name)
    await here.empty()


def _request(subject: Subject, prefix: str, port: int) -> bytes:
    words = {"model": subject.name, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
    body = json.dumps(words).encode()
    head = f"POST {prefix}/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _measures(subject: Subject, pairs: Sequence[Pair]) -> list[Measure]:
    ours, bare = [pair.up.seconds for pair in pairs], [pair.bare.seconds for pair in pairs]
    ratios = [pair.ratio for pair in pairs]
    name, text = subject.name, f"{subject.text}, from zero to the first byte"
    median = {UP: statistics.median(ours), BARE: statistics.median(bare)}
    return [
        Measure(f"{name}_wake_median", f"{text}, median", "s", median),
        Measure(f"{name}_wake_p95", f"{text}, p95", "s", {UP: p95(ours), BARE: p95(bare)}),
        _ratio(f"{name}_ratio_median", "a pair's ratio, median", statistics.median(ratios), GOAL),
        _ratio(f"{name}_ratio_p95", "a pair's ratio, p95", p95(ratios)),
        *_parts(subject, pairs),
    ]


def _parts(subject: Subject, pairs: Sequence[Pair]) -> list[Measure]:
    """The medians of what the gateway tells of each part, in its order."""
    names = list(pairs[0].up.parts)
    return [
        Measure(f"{subject.name}_part_{name}", f"{subject.text}: {name}", "s", {UP: _median(pairs, name)})
        for name in names
    ]


def _median(pairs: Sequence[Pair], part: str) -> float:
    return statistics.median(pair.up.parts.get(part, 0.0) for pair in pairs)


def _ratio(name: str, text: str, value: float, goal: Goal | None = None) -> Measure:
    return Measure(name, text, "ratio", {UP: value}, goal)
