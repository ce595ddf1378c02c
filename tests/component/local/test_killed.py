"""SIGKILL of `tidegate up`: its workers go on, its successor takes them over, and in the end none is left."""

from __future__ import annotations

import json
import os
import platform
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.component.local.kills import Kill, Moment, kill_once
from tests.component.local.ledger import book
from tests.component.local.manifests import service, shell
from tests.component.local.place import Place
from tests.component.local.waiting import until

KILLS = int(os.environ.get("TIDEGATE_KILLS", "1"))
SEED = int(os.environ.get("TIDEGATE_KILLS_SEED", "1"))
RESULTS = os.environ.get("TIDEGATE_KILLS_RESULTS", "")  # where the figures are written; empty: nowhere
# A first process, and one beside it that outlives it.
PAIR = shell('sleep 100000 & "$@"')


@pytest.mark.timeout(600 + 60 * KILLS)
async def test_whenever_the_supervisor_is_killed_its_successor_serves_and_no_process_is_left(
    here: Place,
) -> None:
    chance, kills = random.Random(SEED), []  # noqa: S311 - a plan, no secret
    async with book() as told:
        for _ in range(KILLS):
            kills += await kill_once(here, told, chance)
            print({str(kill.moment): (kill.ran, kill.stayed) for kill in kills[-len(Moment) :]})
    _keep(kills)
    assert [kill for kill in kills if kill.moment is Moment.SERVING and not kill.stayed] == []


def _keep(kills: list[Kill]) -> None:
    if RESULTS:
        Path(RESULTS).write_text(json.dumps(result(kills), indent=1) + "\n")


def result(kills: list[Kill]) -> dict[str, object]:
    """The figures: in how many kills a service had a worker that ran, and how often that stayed."""
    ran = Counter(kill.moment for kill in kills if kill.ran)
    stayed = Counter(kill.moment for kill in kills if kill.stayed)
    services = {moment: {"ran": ran[moment], "stayed": stayed[moment]} for moment in Moment}
    return {
        "name": "local_kills",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load_after": os.getloadavg()[0]},
        "seed": SEED,
        "kills": KILLS,
        "processes_left": 0,  # a kill that leaves any ends the campaign
        "services": services,
    }


async def test_what_is_left_of_a_worker_whose_first_process_died_meanwhile_is_ended(here: Place) -> None:
    here.put(service("pair", command=PAIR, idle=600))
    first = await here.start()
    await first.answered("pair")
    [leader] = here.leaders()
    await until(lambda: len(here.processes()) == 3, "all three processes run")
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
