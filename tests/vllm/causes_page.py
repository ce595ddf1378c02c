"""``python -m tests.vllm.causes_page``: the campaigns' results as the tables of docs/status.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "status.md"
RESULTS = ROOT / "benchmarks" / "results"
ON_CLUSTER, AS_PROCESS = "causes_on_cluster", "causes"
HEADS = {
    ON_CLUSTER: "In a pod, as `kubectl get` and `kubectl describe` show it",
    AS_PROCESS: "As a process, the worker's last line",
}
MARKS = tuple(f"<!-- campaign-causes: generated, {which} -->" for which in ("begin", "end"))


def page(text: str) -> str:
    """The page with the tables of the results that are there; ValueError where it has no place for them."""
    begin, end = MARKS
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"{PAGE.name} lacks the line {begin} or {end}")
    return f"{before}{begin}\n{tables()}\n{end}{after}"


def tables() -> str:
    """One for each campaign that has left its results."""
    names = [name for name in HEADS if (RESULTS / f"{name}.json").is_file()]
    return "\n\n".join("\n".join(_table(name)) for name in names)


def _table(name: str) -> Iterator[str]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    rows = found["rounds"]
    right = sum(each["line"].startswith(f"{each['expected']}: ") for each in rows)
    yield f"{HEADS[name]}: {right} of {len(rows)} right ({found['when'][:10]})."
    yield ""
    yield "| provoked | REASON | the sentence |"
    yield "|---|---|---|"
    for each in rows:
        reason, _, sentence = each["line"].partition(": ")
        yield f"| {each['case']} | `{reason}` | {_cell(sentence)} |"


def _cell(text: str) -> str:
    """As it is read: neither the end of a cell, nor a tag, nor emphasis."""
    for special in "\\|<>*_`[]":
        text = text.replace(special, f"\\{special}")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
