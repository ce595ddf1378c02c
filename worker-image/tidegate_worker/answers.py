"""What a worker tells on its port 8001."""

from __future__ import annotations

from functools import partial

from .evidence import read_evidence
from .isolation_server import Answers
from .run_queue import RunQueueDelay
from .start_marks import StartMarks
from .worker_metrics import metrics_text, read_memory_figures


def answers_of(engine: int, marks: StartMarks) -> Answers:
    """The answers by path; ``engine``: the engine's first process, leader of its group."""
    evidence = partial(read_evidence, engine, RunQueueDelay(engine))

    def metrics() -> str:
        return metrics_text(evidence(), marks.told(), read_memory_figures())

    return {"/isolation": evidence, "/start": marks.told, "/metrics": metrics}
