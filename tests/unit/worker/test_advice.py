"""What the worker's line says to do is what `tidegate explain` says, so that nobody reads two answers."""

from __future__ import annotations

import re

import pytest

from tidegate.views.remedies import REMEDIES, remedy
from tidegate_worker import reasons
from tidegate_worker.advice import advised
from tidegate_worker.engine_ends import ADVICE
from tidegate_worker.failure import Failure
from tidegate_worker.reasons import Meaning

MEANINGS = [value for value in vars(reasons).values() if isinstance(value, Meaning)]
AS_A_PROCESS = {"TIDEGATE_WORKER": "folder:uid"}
OF_A_CLUSTER = re.compile(
    r"kubectl|\bpods?\b|\bnodes?\b|placement|ephemeralStorage|sharedMemory|engine\.image"
)
OF_ONE_CASE = {"ModelForbidden", "NoSpaceLeft", "ModelNotFound"}  # have advice for each of several cases


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: str(meaning.reason))
def test_every_reason_of_the_worker_is_known_to_explain(meaning: Meaning) -> None:
    assert meaning.reason in REMEDIES
    if meaning.reason not in OF_ONE_CASE:
        assert meaning.advice == REMEDIES[meaning.reason]


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: str(meaning.reason))
def test_a_process_of_one_machine_says_what_explain_says_there(meaning: Meaning) -> None:
    here = advised(Failure(meaning.reason, "so it is", meaning.advice), AS_A_PROCESS).advice
    if meaning.reason not in OF_ONE_CASE - {"NoSpaceLeft"}:
        assert here in remedy(meaning.reason, here=True)
    assert not OF_A_CLUSTER.search(here)


@pytest.mark.parametrize("advice", ADVICE.values())
def test_what_a_signal_may_mean_is_said_in_the_words_of_where_the_worker_runs(advice: str) -> None:
    failure = Failure("EngineKilled", "so it is", advice)
    assert advised(failure, {}) == failure
    assert not OF_A_CLUSTER.search(advised(failure, AS_A_PROCESS).line)
