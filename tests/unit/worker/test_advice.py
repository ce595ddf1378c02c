"""What the worker's line says to do is what `tidegate explain` says, so that nobody reads two answers."""

from __future__ import annotations

import pytest

from tidegate.views.remedies import REMEDIES
from tidegate_worker import reasons
from tidegate_worker.reasons import Meaning

MEANINGS = [value for value in vars(reasons).values() if isinstance(value, Meaning)]
OF_ONE_CASE = {"ModelForbidden", "NoSpaceLeft", "ModelNotFound"}  # have advice for each of several cases


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: str(meaning.reason))
def test_every_reason_of_the_worker_is_known_to_explain(meaning: Meaning) -> None:
    assert meaning.reason in REMEDIES
    if meaning.reason not in OF_ONE_CASE:
        assert meaning.advice == REMEDIES[meaning.reason]
