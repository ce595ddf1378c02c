"""An inference pod beside noisy neighbours: six cases of a real report, and its cures, on a real kubelet.

On the embedded cluster in mode two-policies, which is brought up and taken down again where none is up: one
node with the kubelet's default CPU manager policy, one with the static one, both on all cores of this machine
and never busy at the same time. Three workloads: a unary CPU model on torch, streaming chat and embeddings by
vLLM. docs/noisy-neighbours.md says what each case is and what to look at on a node of one's own.

    python benchmarks/bench_isolation.py [--workloads unary chat] [--cases 1 2 3] [--rounds 3]

What is not measured in a run is kept in the results as it was, so that the whole can be measured in parts;
each round says when it was and how busy the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from types import FrameType
from typing import Any, NoReturn

from harness.report import (
    ROOT,
    Findings,
    machine,
    markdown,
    plain,
    rows,
    write_between_markers,
    write_results,
)
from isolation.cases import NUMBERS, WORKERS, WORKLOADS, only, scenes
from isolation.figures import OURS, measures, merged, next_round, table
from isolation.plot import draw
from isolation.rounds import run_rounds
from isolation.stage import model_folder, stage

NAME = "isolation"
PAGE, PICTURE = ROOT / "docs" / "noisy-neighbours.md", ROOT / "docs" / "noisy-neighbours.png"
RESULTS = ROOT / "benchmarks" / "results" / f"{NAME}.json"
ROUNDS = 3
CORES = 2  # at least: one to give away, one for everybody else


def main() -> None:
    """Measures, prints the table, and writes the JSON file, the page and its picture."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    if len(os.sched_getaffinity(0)) < CORES:
        raise SystemExit(f"bench-isolation needs {CORES} cores")
    if options.draw:
        report(earlier(), json.loads(RESULTS.read_text())["machine"])
        return
    about = machine()
    found = measured(options)
    if options.dry:
        print(plain(table(found)))
    else:
        report(merged(earlier(), found), about | {"load_after": round(os.getloadavg()[0], 2)})


def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    """All rounds of the chosen workloads and cases."""
    minilm = model_folder("minilm") if "embeddings" in options.workloads else ""
    found: list[dict[str, Any]] = []
    host = os.cpu_count() or CORES
    with stage() as on:
        for workload in options.workloads:
            play = only(scenes(workload, host, options.cases), options.workers)
            first = next_round(workload, earlier()) if options.add else 0
            found += run_rounds(on, workload, play, range(first, first + options.rounds), minilm)
    return found


def earlier() -> list[dict[str, Any]]:
    """The rounds in the results' file."""
    if not RESULTS.exists():
        return []
    rounds: list[dict[str, Any]] = json.loads(RESULTS.read_text())["rounds"]
    return rounds


def report(found: list[dict[str, Any]], about: dict[str, Any]) -> None:
    """Writes everything that stands on these rounds."""
    goals = rows(measures(found), [OURS])
    print(plain(table(found)), plain(goals), sep="\n\n")
    print(f"\n{write_results(NAME, about, Findings(measures(found), found))}")
    draw(found, PICTURE)
    where = ", ".join(f"{name} {value}" for name, value in about.items())
    write_between_markers(
        PAGE, "bench-isolation", f"{markdown(table(found))}\n\n{markdown(goals)}\n\n{where}"
    )


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends it as an error does: pods and cluster go."""
    raise SystemExit("bench-isolation: told to stop")


def _options() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    some = "case 1 is always among them"
    parser.add_argument("--cases", nargs="+", type=int, choices=NUMBERS, default=list(NUMBERS), help=some)
    parser.add_argument("--workers", nargs="+", choices=WORKERS, help="only these ways to run the worker")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--add", action="store_true", help="add the rounds to those in the results")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument(
        "--draw", action="store_true", help="measure nothing: page and picture of the results anew"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
