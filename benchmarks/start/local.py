"""Starts as processes of this machine, on its last core."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from harness.report import ROOT
from start.asking import LAST_LINES, first_answer, until_ready
from start.milestones import own_parts, parts
from start.subjects import ENVIRONMENT, FLAGS, NOTES, STOCK_MODULE, Subject
from tests.vllm.worker_process import PYTHON, made_by
from tidegate.devcluster.ports import free_ports

HOST = "127.0.0.1"


class LocalStarts:
    """Starts subjects one after the other, each with an empty home."""

    def __init__(self, cores: int) -> None:
        self._packages = made_by("install_cpu.py")
        self._model = made_by("make_tiny_model.py")
        self._cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[-cores:]))

    def __call__(self, subject: Subject) -> dict[str, Any]:
        """One start: seconds to ready, of each part, and of the first answer."""
        with tempfile.TemporaryDirectory() as home:
            if subject.noted:
                shutil.copytree(self._packages / NOTES, Path(home, ".cache", "vllm", "modelinfos"))
            return self._measured(subject, home, *free_ports(1))

    def _measured(self, subject: Subject, home: str, port: int) -> dict[str, Any]:
        lines: list[tuple[float, str]] = []
        start = time.monotonic()
        with self._running(subject, home, port, lines) as process:
            until_ready(HOST, lambda: process.poll() is None, partial(_last_words, lines), port)
            ready = time.monotonic()
            answer = first_answer(HOST, port)
        told = parts(lines, start, ready) | own_parts(text for _, text in lines)
        return {"ready_seconds": round(ready - start, 3), "first_answer_seconds": answer} | told

    @contextmanager
    def _running(
        self, subject: Subject, home: str, port: int, lines: list[tuple[float, str]]
    ) -> Iterator[subprocess.Popen[str]]:
        """The process, in a group of its own that is gone after the block."""
        process = subprocess.Popen(
            self._command(subject, port),
            env=self._environment(subject, home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        reader = threading.Thread(target=_note, args=(process.stdout, lines.append))
        reader.start()
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            reader.join()
            process.wait()

    def _command(self, subject: Subject, port: int) -> list[str]:
        program = [str(ROOT / "worker-image" / "entrypoint.py")] if subject.ours else STOCK_MODULE
        where = ["--model", str(self._model), "--host", HOST, "--port", str(port)]
        return ["taskset", "--cpu-list", self._cores, str(PYTHON), *program, *where, *FLAGS]

    def _environment(self, subject: Subject, home: str) -> dict[str, str]:
        """As in a container: nothing of this session's, an empty home."""
        common = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TMPDIR": home,
            "PYTHONPATH": str(self._packages),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **ENVIRONMENT,
        }
        ours = {"TIDEGATE_TERMINATION_MESSAGE": f"{home}/message", "TIDEGATE_ISOLATION_PORT": "0"}
        return common | (ours if subject.ours else {})


def _last_words(lines: Sequence[tuple[float, str]]) -> str:
    return "".join(text for _, text in lines[-LAST_LINES:])


def _note(output: Iterable[str], note: Callable[[tuple[float, str]], None]) -> None:
    """Each line of the output with the moment when it came."""
    for line in output:
        note((time.monotonic(), line))
