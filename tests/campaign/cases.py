"""One case: a scenario with a fault at one point, and what became of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.campaign.endstate import difference
from tests.campaign.faults import Schedule
from tests.campaign.proxy import KillPoint
from tests.campaign.scenarios import Scenario
from tests.campaign.stage import Lane, NotReachedError, Stage, stage_on
from tidegate.kube.client import Json

SETTLE = 150.0  # seconds; a pass that failed often waits up to 60 for the next
STORM = 5.0  # seconds for which faults last
FAULTY_RESYNC = 1.5  # seconds between full listings where events are lost


@dataclass(frozen=True)
class Reference:
    """A scenario without a fault: how it ends, and the writes that it took."""

    scenario: Scenario
    state: Json
    writes: tuple[str, ...]


@dataclass
class Outcome:
    """What became of one case; ``problems`` is empty where the end was the same."""

    scenario: str
    fault: str
    problems: list[str]
    seconds: float
    reached: bool = True  # the write at which it was to die was sent
    writes: int = 0
    met: Counter[str] = field(default_factory=Counter)

    @property
    def equal(self) -> bool:
        """Whether it ended as without a fault."""
        return not self.problems


async def reference(lane: Lane, scenario: Scenario) -> Reference:
    """Play a scenario without a fault. NotReachedError where even that does not end well."""
    async with stage_on(lane) as stage:
        await _prepared(stage, scenario)
        await scenario.act(stage)
        state = await stage.until(scenario.ended, f"{scenario.name} ends")
        writes = tuple(f"{write.method} {write.path}" for write in stage.proxy.writes)
        problems = _complaints(stage)
        if problems:
            raise NotReachedError(f"{scenario.name}: {problems[0]}", state)
        return Reference(scenario, state, writes)


async def killed_at(lane: Lane, known: Reference, number: int, *, after: bool) -> Outcome:
    """Kill the operator before or after its n-th write, start another, and compare the end."""
    point = KillPoint(number, after)
    begun = time.monotonic()
    async with stage_on(lane) as stage:
        await _prepared(stage, known.scenario)
        stage.proxy.arm(point)
        await known.scenario.act(stage)
        reached = await _killed(stage, point)
        await stage.start_operator()
        problems = await _compared(stage, known)
        name = f"{'after' if after else 'before'} write {number}"
        writes = stage.proxy.sent
    return Outcome(known.scenario.name, name, problems, time.monotonic() - begun, reached, writes)


async def stormy(lane: Lane, known: Reference, seed: int) -> Outcome:
    """Play a scenario while requests, watches and events meet faults, and compare the end."""
    begun = time.monotonic()
    async with stage_on(lane, resync=FAULTY_RESYNC) as stage:
        await _prepared(stage, known.scenario)
        storm = stage.proxy.schedule = Schedule(f"{known.scenario.name}/{seed}")
        await known.scenario.act(stage)
        await asyncio.sleep(STORM)
        storm.calm = True
        problems = await _compared(stage, known)
        writes = stage.proxy.sent
    seconds = time.monotonic() - begun
    return Outcome(known.scenario.name, f"seed {seed}", problems, seconds, True, writes, storm.met)


async def _prepared(stage: Stage, scenario: Scenario) -> None:
    await scenario.before(stage)
    await stage.until(scenario.ready, f"{scenario.name} can begin")
    stage.proxy.writes.clear()
    stage.proxy.arm(None)


async def _killed(stage: Stage, point: KillPoint, seconds: float = 6.0) -> bool:
    """Whether the write came; the operator is dead either way."""
    with suppress(TimeoutError):
        await asyncio.wait_for(point.held.wait(), seconds)
    await stage.kill_operator()
    point.dead.set()
    stage.proxy.kill_point = None
    return point.held.is_set()


async def _compared(stage: Stage, known: Reference) -> list[str]:
    try:
        await stage.until(lambda state: state == known.state, "the end without a fault", SETTLE)
    except NotReachedError as error:
        return difference(known.state, error.state) or [
            "it never rests: something is written again and again"
        ]
    return _complaints(stage)


def _complaints(stage: Stage) -> list[str]:
    """What an operator must never say, and that it must live."""
    assert stage.operator is not None
    said: list[Any] = [] if stage.operator.alive else ["the operator has ended"]
    lines = stage.operator.log.read_text().splitlines()
    return said + [line for line in lines if "not foreseen" in line or line.startswith("Traceback")]
