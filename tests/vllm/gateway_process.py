"""A gateway without Kubernetes, started by its command, before real workers of this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.vllm.worker_process import POLL_SECONDS, Worker
from tidegate.devcluster.ports import free_ports

SERVICES = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata: {{name: chat, namespace: local, annotations: {{tidegate.io/endpoints: "{endpoints}"}}}}
spec:
  model: {{uri: "file:///models/tiny-chat", servedNames: [tiny-chat]}}
  resources: {{cpu: 1, memory: 1Gi}}
  engine: {{maxConcurrency: {concurrency}}}
"""


@contextmanager
def gateway(folder: Path, *workers: Worker, concurrency: int = 8) -> Iterator[tuple[str, str]]:
    """The urls of both ports of a gateway before those workers; its access log is written to a file."""
    services = folder / "services.yaml"
    endpoints = ",".join(f"127.0.0.1:{worker.port}" for worker in workers)
    services.write_text(SERVICES.format(endpoints=endpoints, concurrency=concurrency))
    ports = free_ports(2)
    traffic, admin = (f"127.0.0.1:{port}" for port in ports)
    command = [sys.executable, "-m", "tidegate.cli", "gateway", "--file", str(services)]
    with (folder / "access.log").open("wb") as log:
        process = subprocess.Popen([*command, "--listen", traffic, "--admin-listen", admin], stdout=log)
    try:
        _wait_running(f"http://{traffic}/health")
        yield f"http://{traffic}", f"http://{admin}"
    finally:
        process.terminate()
        process.wait(60)


def _wait_running(url: str) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=60).json()["worker_state"] == "running":
                return
        except httpx.TransportError:
            pass
        time.sleep(POLL_SECONDS)
    raise AssertionError("the gateway never found its worker")
