"""docs/status.md names every reason that can be read in a condition."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tidegate.domain.phases import Phase
from tidegate.domain.reasons import Reason

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/status.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("|")]
NAMED = set(re.findall(r"`([A-Za-z]+)`", "\n".join(row.split("|")[1] for row in ROWS)))
SOURCES = sorted((ROOT / "operator/tidegate").rglob("*.py"))


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_row(reason: Reason) -> None:
    assert str(reason) in NAMED


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_row(phase: Phase) -> None:
    assert str(phase) in NAMED


def test_every_reason_that_the_worker_gives_has_a_row() -> None:
    text = (ROOT / "worker-image/tidegate_worker/reasons.py").read_text()
    assert set(re.findall(r'"([A-Z][A-Za-z]+)"', text)) <= NAMED


def test_every_reason_that_the_filler_of_a_cache_gives_has_a_row() -> None:
    text = (ROOT / "worker-image/tidegate_cache/causes.py").read_text()
    reasons = set(re.findall(r'^[A-Z_]+ = "([A-Z][A-Za-z]+)"', text, re.MULTILINE))
    assert len(reasons) >= 7
    assert reasons <= NAMED


PLACES = {"Cause": 0, "Condition": 2}  # of the reason among the arguments


def literal_reasons(path: Path) -> list[str]:
    """Reasons that a module gives as plain text, which the enumeration would not know of."""
    found = []
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in PLACES:
            found += call.args[PLACES[call.func.id] :][:1]
    return [str(each.value) for each in found if isinstance(each, ast.Constant)]


def test_no_cause_has_a_reason_that_is_not_in_the_enumeration() -> None:
    assert {reason for path in SOURCES for reason in literal_reasons(path)} <= {str(each) for each in Reason}
