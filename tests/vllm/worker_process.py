"""A real vLLM, started by the worker's own entrypoint as a process of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tidegate.devcluster.ports import free_ports

WORKER_IMAGE = Path(__file__).resolve().parents[2] / "worker-image"
PYTHON = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
START_SECONDS = 600.0  # 14 on one idle core; the first start reads 1.5 GB from the disk
POLL_SECONDS = 0.05


def made_by(script: str, *words: str) -> Path:
    """The folder that a script of the worker makes, and whose name it prints last."""
    command = [sys.executable, str(WORKER_IMAGE / script), *words]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    return Path(done.stdout.strip().splitlines()[-1])


@dataclass(frozen=True)
class Worker:
    """A running entrypoint; ``output`` and ``message`` are files that it writes."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path
    message: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def said(self, event: str) -> dict[str, Any]:
        """The worker's own JSON line of that event; waits for it a little."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            text = self.output.read_text(errors="replace")
            for line in text[: text.rfind("\n") + 1].splitlines():  # the last one may be half written
                if line.startswith('{"worker"') and json.loads(line)["worker"] == event:
                    return dict(json.loads(line))
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"the worker never said {event}")

    def wait_ready(self) -> None:
        """Until GET /v1/models answers 200; AssertionError with its last words if it ends before."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output.read_text(errors="replace")[-2000:]
            if self.get("/v1/models") == 200:
                return
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"not ready in {START_SECONDS} s")

    def get(self, path: str) -> int:
        """The status of a GET, 0 where there is no connection."""
        try:
            return httpx.get(self.url + path, timeout=10).status_code
        except httpx.TransportError:
            return 0

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_end(120)

    def wait_end(self, seconds: float) -> int:
        """The exit code; killed and TimeoutExpired if it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Starter:
    """Starts workers on the machine's last core, and stops them all."""

    def __init__(self, site_packages: Path, folder: Path) -> None:
        self._site_packages = site_packages
        self._folder = folder
        self._started: list[Worker] = []

    def __call__(
        self, model: Path | str, *words: str, under: Sequence[str] = (), cores: int = 1, **environment: str
    ) -> Worker:
        """``under``: a command that runs the worker; ``cores``: how many it has."""
        folder = self._folder / str(len(self._started))
        (folder / "tmp").mkdir(parents=True)
        [port] = free_ports(1)
        own = ",".join(map(str, sorted(os.sched_getaffinity(0))[-cores:]))
        command = [*under, "taskset", "--cpu-list", own, str(PYTHON), str(WORKER_IMAGE / "entrypoint.py")]
        command += ["--model", str(model), "--port", str(port), "--host", "127.0.0.1", *words]
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command, env=self._environment(folder) | environment, stdout=output, stderr=subprocess.STDOUT
            )
        worker = Worker(process, port, folder / "output", folder / "message")
        self._started.append(worker)
        return worker

    def _environment(self, folder: Path) -> dict[str, str]:
        """As in a container: nothing of this session's, an empty home."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "tmp"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(self._site_packages),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TIDEGATE_TERMINATION_MESSAGE": str(folder / "message"),
            "TIDEGATE_ISOLATION_PORT": "0",  # a free one: workers share this machine
        }

    def stop_all(self) -> None:
        for worker in self._started:
            worker.stop()
