"""vLLM's sleep mode by its public engine client: how an engine is put to sleep and woken.

Level 1 copies the weights into the machine's memory and drops the key-value cache; level 2 drops both and
reads the weights from their files again. The order of level 2's steps is that of vLLM's documentation
(docs.vllm.ai, Sleep Mode): the weights' memory, the weights, then the memory of the cache; then work goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .failure import Failure

AFTER_VARIABLE = "TIDEGATE_SLEEP_AFTER_SECONDS"
LEVEL_VARIABLE = "TIDEGATE_SLEEP_LEVEL"
BUDGET_VARIABLE = "TIDEGATE_WAKE_SECONDS"
BUDGET_SECONDS = "900"  # as long as a start may take by default
# What runs without an open request, such as a background response, ends first: nothing is aborted.
LET_END = "wait"


class Engine(Protocol):
    """The part of vLLM's EngineClient that this needs."""

    async def sleep(self, level: int, mode: str) -> None: ...
    async def wake_up(self, tags: list[str] | None = None) -> bool: ...
    async def collective_rpc(self, method: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Rhythm:
    """``after``: seconds without work until sleep; ``budget``: seconds that either change may take."""

    after: float
    level: int
    budget: float


def read_rhythm(environment: Mapping[str, str]) -> Rhythm | None:
    """What the environment says; None where the engine never sleeps. ValueError names a wrong variable."""
    if not environment.get(AFTER_VARIABLE):
        return None
    level = environment.get(LEVEL_VARIABLE) or "1"
    if level not in ("1", "2"):
        raise ValueError(f"{LEVEL_VARIABLE}={level} must be 1 or 2")
    after = _seconds(AFTER_VARIABLE, environment[AFTER_VARIABLE])
    return Rhythm(
        after, int(level), _seconds(BUDGET_VARIABLE, environment.get(BUDGET_VARIABLE) or BUDGET_SECONDS)
    )


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{name}={text} must be a number of seconds of more than zero")
    return seconds


def check_rhythm(environment: Mapping[str, str]) -> Failure | None:
    """A named failure for variables that cannot be obeyed, before anything is imported."""
    try:
        read_rhythm(environment)
    except ValueError as error:
        return Failure("BadArgument", str(error))
    return None


async def put_to_sleep(engine: Engine, rhythm: Rhythm) -> None:
    """Return when the memory is free. TimeoutError after the budget; vLLM's own errors come through."""
    async with asyncio.timeout(rhythm.budget):
        await engine.sleep(rhythm.level, LET_END)


async def wake(engine: Engine, rhythm: Rhythm) -> None:
    """Return when requests can run. The same errors, and RuntimeError where memory did not come back."""
    async with asyncio.timeout(rhythm.budget):
        if rhythm.level == 2:
            await engine.wake_up(["weights"])
            await engine.collective_rpc("reload_weights")
        awake = await engine.wake_up(["kv_cache"] if rhythm.level == 2 else None)
    if not awake:
        raise RuntimeError("a part of its memory is still away")


def said_of(error: BaseException, rhythm: Rhythm) -> str:
    """An error of either as the end of a sentence, on one line."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"it took longer than {rhythm.budget:g} s"
    return " ".join(f"{type(error).__name__}: {error}".split()).removeprefix("Exception: ")
