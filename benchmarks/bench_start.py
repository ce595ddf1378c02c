"""From the first moment of a worker's process to its first answer, beside stock vLLM, part by part.

Stock is `python -m vllm.entrypoints.openai.api_server` in the same image, with the same model, flags and
environment. Each start is a Guaranteed pod of its own, with a core that no other pod has, on the development
cluster, which is brought up and taken down again where none is up; with --processes it is a process bound to
one core that others may use as well. Pairs are interleaved, one start at a time, and one round before those
that count brings everything into the page cache. Each start has an empty home, as a pod has; with --noted
there is also `stock_noted`, stock vLLM whose cache has the notes on model classes that it otherwise makes
each time.

    python benchmarks/bench_start.py [--noted] [--pairs 5] [--processes [--cores 1]]
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, NoReturn

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
from start.milestones import ENDS, LAST, OWN
from start.pods import pod_starts
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
    "asked_to_ready_seconds": "from `kubectl apply` to ready",
    **{key: f"the worker's own account: {key.split('_')[1]}" for key in OWN},
}
Start = Callable[[Subject], dict[str, Any]]


def main() -> None:
    """Measure, and print the table; a whole run is written to its JSON file and docs/fast-start.md."""
    options = _options()
    signal.signal(signal.SIGTERM, _leave)
    about, subjects = machine(), (TIDEGATE, STOCK, *((STOCK_NOTED,) if options.noted else ()))
    with _starts(options) as start:
        for subject in subjects:
            start(subject)  # from the disk into the page cache
        rounds = interleaved(Plan(options.pairs, 0), subjects, partial(_round, start))
    findings = Findings(_measures(rounds), rounds)
    table = rows(findings.measures, [subject.name for subject in subjects])
    print(plain(table))
    if options.pairs >= PAIRS:
        _write(options, about | {"load_after": round(os.getloadavg()[0], 2)}, findings, table)


@contextmanager
def _starts(options: argparse.Namespace) -> Iterator[Start]:
    if options.processes:
        yield LocalStarts(options.cores)
    else:
        with pod_starts() as start:
            yield start


def _write(options: argparse.Namespace, about: Round, findings: Findings, table: list[list[str]]) -> None:
    name, caption = "start", "In pods with a core of their own"
    if options.processes:
        name = "start_local" + (f"_{options.cores}" if options.cores > 1 else "")
        caption = f"As processes bound to {options.cores} core(s)"
    print(f"\n{write_results(name, about, findings)}")
    where = ", ".join(f"{key} {value}" for key, value in about.items() if key != "data_path")
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
    keys = [*(key for key, _ in ENDS), LAST, "first_answer_seconds", "asked_to_ready_seconds", *OWN]
    found = [Measure(key, TEXTS[key], "s", medians(rounds, "start", key)) for key in keys]
    return against + [measure for measure in found if measure.values]


def _options() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    noted = "also stock vLLM with its notes on model classes"
    parser.add_argument("--noted", action="store_true", help=noted)
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"{PAIRS}; fewer: a trial, not written")
    parser.add_argument("--processes", action="store_true", help="processes instead of pods")
    parser.add_argument("--cores", type=int, default=1, help="of the processes; 1")
    options = parser.parse_args()
    if options.cores != 1 and not options.processes:
        parser.error("a pod has one core here; --cores needs --processes")
    return options


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends it as an error does: pods and cluster go."""
    raise SystemExit("bench-start: told to stop")


if __name__ == "__main__":
    main()
