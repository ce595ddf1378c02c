"""What a cache of compiled graphs saves a CPU worker's start: real vLLM with torch.compile, on one core.

Each round starts the worker four times, in turn: without compiling (--enforce-eager), with an empty cache, and
twice with the cache that an earlier start has filled, as spec.cache keeps it: as the worker sets vLLM up, and
with vLLM's own saving of whole compiled models (VLLM_USE_AOT_COMPILE=1), which is its default.
"Engine" is the part in which the model is loaded, compiled and warmed up. CPU seconds are those of all processes
until ready, the compiler's included; a busy machine changes them less than the wall clock's.

    python benchmarks/bench_compile_cache.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

from compiling.processes import tree_cpu_seconds
from harness.plan import Plan, interleaved
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

ROUNDS = 5
PAGE = ROOT / "docs" / "gpu.md"
EAGER, EMPTY, KEPT, SAVED = "eager", "empty", "kept", "saved"
CASES = (EAGER, EMPTY, KEPT, SAVED)
TEXTS = {
    "ready_seconds": ("ready, from the process's start", "s"),
    "engine_seconds": ("of it the engine", "s"),
    "cpu_seconds": ("CPU of all processes until ready", "s"),
    "cache_mib": ("the cache then", "MiB"),
}
