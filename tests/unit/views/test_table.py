"""The table of services: kubectl's columns, its spacing, its ages."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.api.columns import COLUMNS
from tidegate.api.crd import inference_service_crd
from tidegate.domain.timestamps import to_timestamp
from tidegate.views.ages import age
from tidegate.views.table import Table, field_at

NOW = 1_800_000_000.0
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


def service(name: str, **status: Any) -> dict[str, Any]:
    """One that was made 90 s ago."""
    metadata = {"name": name, "namespace": "default", "creationTimestamp": to_timestamp(NOW - 90)}
    return {"metadata": metadata, "status": status}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (10 * MINUTE + 5, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 300, "3h5m"),
        (8 * HOUR + 300, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY + HOUR, "8d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR + DAY, "8y"),
    ],
)
def test_an_age_is_written_as_kubectl_writes_it(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_the_columns_are_those_of_the_definition() -> None:
    printed = inference_service_crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert Table(wide=True).head == ["NAME", *(column["name"].upper() for column in printed)]
    narrow = [column["name"].upper() for column in printed if not column.get("priority")]
    assert Table().head == ["NAME", *narrow]
    assert Table(namespaces=True).head == ["NAMESPACE", "NAME", *narrow]


def test_every_column_finds_its_field() -> None:
    status = {
        "phase": "a",
        "ready": "b",
        "queue": {"summary": "c"},
        "model": "d",
        "conditions": [{"type": "Other", "reason": "x"}, {"type": "Ready", "reason": "e"}],
        "url": "f",
        "isolation": "g",
        "cost": {"perHour": "h"},
        "coldStarts": {"lastSeconds": "i"},
    }
    cells = Table(wide=True).row(service("n", **status), NOW)
    assert cells == ["n", *"abcde", "90s", *"fghi"]
    assert len(cells) == 1 + len(COLUMNS)


def test_columns_are_three_spaces_apart_and_the_last_one_has_no_blanks_behind_it() -> None:
    table = Table()
    rows = [table.head, table.row(service("a-long-name", phase="Running", ready="1/1"), NOW)]
    head, row = table.lines(rows)
    assert head == "NAME          PHASE     READY   QUEUE   MODEL   REASON   AGE"
    assert row == "a-long-name   Running   1/1                              90s"


def test_a_later_row_keeps_the_columns_of_the_rows_before() -> None:
    table = Table()
    first = table.lines([table.head, table.row(service("a-long-name"), NOW)])[0]
    later = table.lines([table.row(service("b", phase="Idle"), NOW)])[0]
    assert later.index("Idle") == first.index("PHASE")


def test_what_is_not_there_is_an_empty_cell_and_a_broken_date_is_said() -> None:
    assert Table().row({"metadata": {"name": "n"}}, NOW) == ["n", "", "", "", "", "", ""]
    broken = {"metadata": {"name": "n", "creationTimestamp": "yesterday"}}
    assert Table().row(broken, NOW)[-1] == "<unknown>"


def test_a_text_of_several_lines_is_cut_at_the_first() -> None:
    assert Table().row(service("n", phase="Idle\nand more"), NOW)[1] == "Idle..."


def test_a_path_through_something_that_is_no_object_leads_nowhere() -> None:
    assert field_at({"status": "text"}, ".status.queue.summary") is None
    assert field_at({"status": {"conditions": [1, {"type": "Ready"}]}}, COLUMNS[4].path) is None
