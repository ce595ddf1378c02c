"""The reference page names everything that the gateway can say."""

from __future__ import annotations

import re
from pathlib import Path

import tidegate.gateway
from tidegate.cli import main
from tidegate.domain.outcome import Outcome
from tidegate.gateway.families import EDGES, FAMILIES
from tidegate.gateway.reference import Flag, gateway_reference

PAGE = gateway_reference([Flag("--connect-timeout", "SECONDS", "one | two")])
SOURCE = "".join(path.read_text() for path in Path(str(tidegate.gateway.__file__)).parent.glob("*.py"))


def row(name: str) -> str:
    """The first line of a table that begins with that name."""
    return next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))


def test_every_outcome_has_a_status_and_says_when() -> None:
    for outcome in Outcome:
        _, _, when, status, counted, _ = row(outcome.value).split("|")
        assert when.strip() == outcome.when
        assert status.strip(), outcome
        assert bool(counted.strip()) == (not outcome.value.startswith("evicted"))


def test_every_status_that_is_written_in_the_gateways_code_is_there() -> None:
    statuses = set(re.findall(r"status=(\d{3})\b", SOURCE))
    assert len(statuses) > 5
    assert statuses <= set(re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE))


def test_every_header_of_ours_that_is_written_in_the_gateways_code_is_there() -> None:
    names = set(re.findall(r"x-tidegate-[a-z]+", SOURCE))
    assert names <= set(re.findall(r"`(x-tidegate-[a-z]+)`", PAGE))


def test_every_metric_is_there_with_its_unit_and_a_histogram_with_its_edges() -> None:
    assert {family for family in FAMILIES if family.type == "histogram"} == set(EDGES)
    for family in FAMILIES:
        assert f"| {family.type} | {family.unit} |" in row(family.name)
    assert "`gateway_delay_seconds`: 0.005, 0.02, 0.1, 0.5, 1, 2, 3, 5, 8, 10," in PAGE


def test_a_setting_names_the_option_that_sets_it() -> None:
    assert "| 3.0 | `--connect-timeout` |" in row("connect_timeout")
    assert "--" not in row("max_tries")


def test_a_bar_in_a_text_does_not_end_its_cell() -> None:
    assert row("--connect-timeout").endswith("| one \\| two |")


def test_the_command_writes_the_page_and_finds_a_stale_one(tmp_path: Path) -> None:
    assert main(["manifests", "--root", str(tmp_path)]) == 0
    page = tmp_path / "docs/reference/gateway.md"
    assert "| `--drain-seconds` | SECONDS |" in page.read_text()
    assert main(["manifests", "--check", "--root", str(tmp_path)]) == 0
    page.write_text("old")
    assert main(["manifests", "--check", "--root", str(tmp_path)]) == 1
