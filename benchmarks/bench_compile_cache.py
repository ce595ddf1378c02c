"""What a cache of compiled graphs saves a CPU worker's start: real vLLM with torch.compile, on one core.

Each round starts the worker three times, in turn: without compiling (--enforce-eager), with an empty cache,
and with the cache that an earlier start has filled, as spec.cache keeps it. "Engine" is the part in which the
model is loaded, compiled and warmed up. CPU seconds are those of all processes until ready, the compiler's
included: on a busy machine they change less than the wall clock's.

    python benchmarks/bench_compile_cache.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

from harness.plan import Plan, interleaved
from harness.processes import tree_cpu_seconds
from harness.report import (
    ROOT,
    Findings,
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
from tests.vllm.worker_process import Starter, made_by

ROUNDS = 3
PAGE = ROOT / "docs" / "gpu.md"
EAGER, EMPTY, KEPT = CASES = ("eager", "empty", "kept")
TEXTS = {
    "ready_seconds": ("until ready", "s"),
    "engine_seconds": ("of it the engine", "s"),
    "cpu_seconds": ("CPU of all processes until ready", "s"),
    "cache_mib": ("the cache then", "MiB"),
}


def main() -> None:
    """Measure, and print the table; a whole run is written to its JSON file and docs/gpu.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"{ROUNDS}; with fewer nothing is written")
    count, about = parser.parse_args().rounds, machine()
    with tempfile.TemporaryDirectory() as folder:
        case = partial(_round, Starter(made_by("install_cpu.py"), Path(folder)), Path(folder))
        case(KEPT)  # fills the cache, and brings the packages into the page cache
        rounds = interleaved(Plan(count, 0), CASES, case)
    findings = Findings(_measures(rounds), rounds)
    table = rows(findings.measures, CASES)
    print(plain(table))
    if count >= ROUNDS:
        about |= {"load_after": round(os.getloadavg()[0], 2)}
        print(f"\n{write_results('compile_cache', about, findings)}")
        where = ", ".join(f"{name} {value}" for name, value in about.items() if name != "data_path")
        write_between_markers(PAGE, "bench-compile-cache", f"{markdown(table)}\n\n{where}")


def _round(start: Starter, folder: Path, case: str) -> Round:
    """One start of that case: seconds, and what the cache then holds."""
    cache = folder / KEPT if case == KEPT else Path(tempfile.mkdtemp(dir=folder))
    cache.mkdir(exist_ok=True)
    words = ["--max-num-seqs", "8", *(["--enforce-eager"] if case == EAGER else [])]
    worker = start(made_by("make_tiny_model.py"), *words, TIDEGATE_COMPILE_CACHE=str(cache))
    try:
        worker.wait_ready()
        spent = tree_cpu_seconds(worker.process.pid)
        told = worker.said("serving")
    finally:
        worker.stop()
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    times = {"ready_seconds": told["total"], "engine_seconds": told["seconds"]["engine"]}
    return {"what": "start", "proxy": case, **times, "cpu_seconds": spent, "cache_mib": size / 2**20}


def _measures(rounds: list[Round]) -> list[Measure]:
    return [Measure(name, text, unit, medians(rounds, "start", name)) for name, (text, unit) in TEXTS.items()]


if __name__ == "__main__":
    main()
