"""What was read of each provoked cause stands in docs/status.md, without a trace of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.vllm.causes_page import PAGE, RESULTS, page
from tests.vllm.causes_results import as_in_a_worker

FILES = sorted(RESULTS.glob("causes*.json"))


def test_the_page_has_the_tables_of_the_results() -> None:
    assert page(PAGE.read_text()) == PAGE.read_text()


def test_a_page_without_a_place_for_them_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the line"):
        page("# What the status says")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_reason_was_right(file: Path) -> None:
    rows = json.loads(file.read_text())["rounds"]
    assert rows
    assert [each["case"] for each in rows if not each["line"].startswith(f"{each['expected']}: ")] == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("/var/pytest-of-me/pytest-7/test_a_line0/chat/config.json", "/models/chat/config.json"),
        ("`/tmp/pytest-of-me/pytest-7/test_a_line0/chat`", "`/models/chat`"),
        ("in /tmp/pytest-of-me/pytest-7/workers0/12/tmp/x", "in /tmp/x"),
        ("/home/me/.cache/tidegate/models/tiny-chat has", "/models/tiny-chat has"),
        ("/home/me/.cache/tidegate/worker/site-packages-3.11/vllm", "/site-packages/vllm"),
        ("/var/pytest-of-me/pytest-7/test_a0 holds nothing", "/models holds nothing"),
        ("/models/nowhere does not exist", "/models/nowhere does not exist"),
    ],
)
def test_a_line_has_a_workers_places(said: str, kept: str) -> None:
    assert as_in_a_worker(said) == kept


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_results_hold_no_place_of_the_machine(file: Path) -> None:
    text = file.read_text()
    assert [trace for trace in ("pytest", "/home/", "/root", ".cache/tidegate") if trace in text] == []
