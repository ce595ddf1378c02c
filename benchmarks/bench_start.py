"""From the first moment of a worker's process to its first answer, beside stock vLLM, part by part.

Stock is `python -m vllm.entrypoints.openai.api_server` of the same packages, with the same model and flags.
Both run as processes bound to one core, which others may use as well; pairs are interleaved, one start at a
time, and one round before those that count brings everything into the page cache. Each start has an empty
home, as a pod has; with --noted there is also `stock_noted`, stock vLLM whose cache has the notes on model
classes that it otherwise makes each time.

    python benchmarks/bench_start.py [--noted] [--cores 1] [--pairs 5]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from harness.plan import Plan, interleaved
from harness.report import (
    ROOT,
    Findings,
    Goal,
    Measure,
    Round,
    machine,
    markdown,
    medians,
    plain,
    rows,
    write_between_markers,
    write_results,
)
from start.local import LocalStarts
from start.milestones import ENDS, LAST
from start.subjects import STOCK, STOCK_NOTED, TIDEGATE, Subject

PAIRS = 5
RATIO = 0.45
PAGE = ROOT / "docs" / "fast-start.md"
TEXTS = {
    "imports_seconds": "interpreter, imports, command line",
    "config_seconds": "configuration, the engine's process",
    "worker_seconds": "the computing part's process and imports",
    "weights_seconds": "weights",
    "warmup_seconds": "profile, key-value cache, warm-up",
    "server_seconds": "tokenizer, routes, templates",
    LAST: "listening, and noticed",
    "first_answer_seconds": "first chat answer after that",
}
Start = Callable[[Subject], dict[str, Any]]


def main() -> None:
    """Measure, and print the table; a whole run is written to its JSON file and docs/fast-start.md."""
    options = _options()
    about, subjects = machine(), (TIDEGATE, STOCK, *((STOCK_NOTED,) if options.noted else ()))
    start = LocalStarts(options.cores)
    for subject in subjects:
        start(subject)  # from the disk into the page cache
    rounds = interleaved(Plan(options.pairs, 0), subjects, partial(_round, start))
    findings = Findings(_measures(rounds), rounds)
    table = rows(findings.measures, [subject.name for subject in subjects])
    print(plain(table))
    if options.pairs >= PAIRS:
        _write(options, about | {"load_after": round(os.getloadavg()[0], 2)}, findings, table)


def _write(options: argparse.Namespace, about: Round, findings: Findings, table: list[list[str]]) -> None:
    name = "start_local" + (f"_{options.cores}" if options.cores > 1 else "")
    print(f"\n{write_results(name, about, findings)}")
    where = ", ".join(f"{key} {value}" for key, value in about.items() if key != "data_path")
    caption = f"As processes bound to {options.cores} core(s)"
    write_between_markers(PAGE, f"bench-{name}", f"{caption}:\n\n{markdown(table)}\n\n{where}")


def _round(start: Start, subject: Subject) -> Round:
    return {"what": "start", "proxy": subject.name, "load": round(os.getloadavg()[0], 2)} | start(subject)


def _measures(rounds: list[Round]) -> list[Measure]:
    """The whole, against both; then the parts."""
    whole = medians(rounds, "start", "ready_seconds")
    against = [Measure("ready", "process start to ready", "s", whole, Goal(RATIO, STOCK.name))]
    if STOCK_NOTED.name in whole:
        goal = Goal(RATIO, STOCK_NOTED.name)
        against.append(Measure("ready_noted", "beside stock with its notes", "s", whole, goal))
    keys = [key for key, _ in ENDS] + [LAST, "first_answer_seconds"]
    return against + [Measure(key, TEXTS[key], "s", medians(rounds, "start", key)) for key in keys]


def _options() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument(
        "--noted", action="store_true", help="also stock vLLM with its notes on model classes"
    )
    parser.add_argument("--cores", type=int, default=1, help="of the processes; 1")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"{PAIRS}; fewer: a trial, not written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
