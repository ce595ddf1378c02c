"""What a worker tells on its port 8001."""

from __future__ import annotations

from functools import partial

from .evidence import read_evidence
from .isolation_server import Answers
from .run_queue import RunQueueDelay
from .start_marks import StartMarks
from .worker_metrics import metrics_text, read_memory_figures


def answers_of(engine: int, marks: StartMarks, *, own_cgroup: bool = True) -> Answers:
    """The answers by path. ``engine``: the engine's first process, leader of its group. ``own_cgroup``: its
    counters are the worker's; what a shared one tells of memory is left out."""
    evidence = partial(read_evidence, engine, RunQueueDelay(engine), own_cgroup=own_cgroup)

    def metrics() -> str:
        memory = read_memory_figures() if own_cgroup else {}
        return metrics_text(evidence(), marks.told(), memory)

    return {"/isolation": evidence, "/start": marks.told, "/metrics": metrics}
