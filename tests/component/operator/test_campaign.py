"""A slice of the campaign (``make campaign`` plays it all): crashes and storms on the way, the same end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.campaign.campaign import Case, ground_on, lanes_on, play, references
from tests.campaign.cases import Outcome, killed_at, stormy
from tests.campaign.cluster import campaign_cluster
from tests.campaign.stage import Lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

CRASHED, STORMY = "create", "update-asleep"
SEEDS = (1, 2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lanes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Lane]]:
    folder = tmp_path_factory.mktemp("campaign")
    with campaign_cluster() as server:
        async with ground_on(server, folder) as ground, lanes_on(ground, 3) as lanes:
            yield lanes


async def test_whenever_the_operator_is_killed_the_end_is_the_same(lanes: list[Lane]) -> None:
    (known,) = await references(lanes, (CRASHED,))
    points = ((number, after) for number in range(1, len(known.writes) + 1) for after in (False, True))

    def crash(number: int, after: bool) -> Case:
        return lambda lane: killed_at(lane, known, number, after=after)

    outcomes: list[Outcome] = []
    await play(lanes, (crash(*point) for point in points), outcomes.append)
    assert len(outcomes) == 2 * len(known.writes)
    assert any(outcome.reached for outcome in outcomes)
    assert [outcome for outcome in outcomes if not outcome.equal] == []


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_faults_are_met_the_end_is_the_same(lanes: list[Lane], seed: int) -> None:
    (known,) = await references(lanes, (STORMY,))
    outcome = await stormy(lanes[0], known, seed)
    assert outcome.met
    assert outcome.problems == [], f"seed {seed}"
