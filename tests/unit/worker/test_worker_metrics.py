"""GET /metrics of a worker, as Prometheus reads it."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.worker.test_cores import write
from tests.unit.worker.test_told_cores import PROCESSES, V2, told_of
from tidegate_worker.answers import answers_of
from tidegate_worker.isolation_server import answer
from tidegate_worker.start_marks import StartMarks
from tidegate_worker.worker_metrics import metrics_text, read_memory_figures

MEMORY = {
    "sys/fs/cgroup/memory.current": "1073741824\n",
    "sys/fs/cgroup/memory.max": "2147483648\n",
    "sys/fs/cgroup/memory.events": "oom 1\noom_kill 3\n",
}


def samples(text: str) -> dict[str, float]:
    """Each sample by its name and the values of its labels."""
    return {
        " ".join([sample.name.removeprefix("tidegate_worker_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number_is_told_in_base_units(tmp_path: Path) -> None:
    root = write(tmp_path, PROCESSES | V2 | MEMORY)
    start = {"parts": {"interpreter": 0.031, "imports": 6.9}}
    assert samples(metrics_text(told_of(root), start, read_memory_figures(root))) == {
        "cpuset_info 2-3 2 0-7": 1,
        "cpuset_cores": 2,
        "cpu_quota_cores": 2,
        "cfs_periods_total": 50,
        "cfs_throttled_periods_total": 4,
        "cfs_throttled_seconds_total": 0.007,
        "run_queue_delay_seconds_total": 0.002501,
        "cpu_seconds_total": 9e-6,
        "cores_busy_seconds_total": 1.7,
        "memory_bytes": 1 << 30,
        "memory_limit_bytes": 2 << 30,
        "oom_kills_total": 3,
        "start_seconds interpreter": 0.031,
        "start_seconds imports": 6.9,
    }


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    told = told_of(write(tmp_path, {"proc/12/stat": ""}))
    found = samples(metrics_text(told, {}, {}))
    assert {name.strip() for name in found} == {"cpuset_info", "run_queue_delay_seconds_total"}


def test_they_are_served_as_prometheus_wants_them() -> None:
    head, _, body = answer(b"GET /metrics HTTP/1.1", answers_of(os.getpid(), StartMarks())).partition(
        b"\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n")
    assert samples(body.decode())["cpuset_cores"] == len(os.sched_getaffinity(0))
