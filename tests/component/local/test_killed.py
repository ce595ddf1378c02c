"""SIGKILL of `tidegate up`: its workers go on, its successor takes them over, and in the end none is left."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.component.local.kills import Kill, Moment, drawn, kill_once
from tests.component.local.ledger import book
from tests.component.local.manifests import service, shell
from tests.component.local.place import Place
from tests.component.local.waiting import until

KILLS = int(os.environ.get("TIDEGATE_KILLS", "5"))
SEED = int(os.environ.get("TIDEGATE_KILLS_SEED", "1"))
RESULTS = os.environ.get("TIDEGATE_KILLS_RESULTS", "")  # where the figures are written; empty: nowhere
# A first process, and one beside it that outlives it.
PAIR = shell('sleep 100000 & "$@"')


@pytest.mark.timeout(max(600, 60 * KILLS))
async def test_whenever_the_supervisor_is_killed_its_successor_serves_and_no_process_is_left(
    here: Place,
) -> None:
    kills: list[Kill] = []
    async with book() as told:
        for moment, after in drawn(random.Random(SEED), KILLS):  # noqa: S311 - a plan, no secret
            kills.append(await kill_once(here, told, moment, after))
            print(kills[-1])
    _keep(kills)
    assert all(kill.stayed for kill in kills if kill.moment is Moment.SERVING), kills


def _keep(kills: list[Kill]) -> None:
    if RESULTS:
        Path(RESULTS).write_text(json.dumps(result(kills), indent=1) + "\n")


def result(kills: list[Kill]) -> dict[str, object]:
    """The figures of a campaign: kills of each kind, workers that ran then, and those that were kept."""
    count, running, stayed = (
        Counter(kill.moment for kill in kills),
        Counter(kill.moment for kill in kills if kill.before),
        Counter(kill.moment for kill in kills if kill.stayed),
    )
    table = {
        moment: {"kills": count[moment], "with_a_worker": running[moment], "kept": stayed[moment]}
        for moment in Moment
    }
    return {"name": "local_kills", "seed": SEED, "moments": table, "kills": [asdict(kill) for kill in kills]}


async def test_what_is_left_of_a_worker_whose_first_process_died_meanwhile_is_ended(here: Place) -> None:
    here.put(service("pair", command=PAIR, idle=600))
    first = await here.start()
    await first.answered("pair")
    [leader] = here.leaders()
    assert len(here.processes()) == 3
    await first.kill()
    leader.kill()
    left = [process for process in here.processes() if process != leader]
    second = await here.start()
    await until(lambda: not set(left) & set(here.processes()), "what was left has ended")
    await second.answered("pair")


async def test_down_ends_what_a_killed_supervisor_left(here: Place) -> None:
    here.put(service("kept", idle=600))
    up = await here.start()
    await up.answered("kept")
    await up.kill()
    assert len(here.leaders()) == 1
    said = await here.tidegate("down", "--state", str(here.state))
    assert said.code == 0, said
    assert here.processes() == []
