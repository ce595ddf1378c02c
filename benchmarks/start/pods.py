"""Starts in pods of the development cluster, Guaranteed, with one core of their own."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from harness.cluster import brought_up, confine
from start.asking import LAST_LINES, first_answer, until_ready
from start.manifest import ENGINE, NAMESPACE, namespace, pod
from start.milestones import own_parts, parts, stamped
from start.subjects import Subject
from tests.e2e.conftest import tool_environment
from tests.e2e.kubectl import Kubectl, eventually
from tidegate.devcluster.cpus import parse_cpus
from tidegate.devcluster.layout import state_of

TICKS = os.sysconf("SC_CLK_TCK")
ALLOWED = "Cpus_allowed_list:"
LOOK_EVERY = 2.0  # seconds between two questions whether a pod still runs: kubectl costs 0.1 s of CPU


@contextmanager
def pod_starts() -> Iterator[PodStarts]:
    """The cluster with the worker's image; whatever was not there before is gone after the block."""
    with brought_up(["worker"]):
        confine(state_of(os.environ))
        kubectl = Kubectl(tool_environment())
        kubectl.apply(namespace())
        try:
            yield PodStarts(kubectl)
        finally:
            kubectl.run("delete", "namespace", NAMESPACE, "--timeout=120s", timeout=150)


class PodStarts:
    """Starts subjects one after the other, each in a pod of its own."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._look_after = 0.0

    def __call__(self, subject: Subject) -> dict[str, Any]:
        """One start: seconds to ready since the container's first process was started and since the pod was
        asked for, of each part, and of the first answer; the core that the pod had."""
        name = f"{subject.name.replace('_', '-')}-{uuid.uuid4().hex[:6]}"
        asked = _now()
        self._kubectl.apply(pod(subject, name))
        try:
            return self._measured(name, asked)
        finally:
            self._run("delete", "pod", name, "--grace-period=1", "--wait=true", "--timeout=100s")

    def _measured(self, name: str, asked: float) -> dict[str, Any]:
        eventually(lambda: bool(self._address(name)), f"{name} has an address", seconds=120)
        address = self._address(name)
        until_ready(address, partial(self._runs, name), partial(self._last_words, name))
        ready = _now()
        answer = first_answer(address)
        start, core = self._process(name)
        log = self._log(name)
        whole = {"ready_seconds": round(ready - start, 3), "asked_to_ready_seconds": round(ready - asked, 3)}
        lines = list(stamped(log, time.time() - _now()))
        told = parts(lines, start, ready) | own_parts(text for _, text in lines)
        return whole | {"core": core, "first_answer_seconds": answer} | told

    def _process(self, name: str) -> tuple[float, int]:
        """When the container's first process was started, on this machine's clock since its boot (all nodes
        are this machine), and its core. SystemExit where it has not one of its own."""
        told = self._run("exec", name, "-c", ENGINE, "--", "cat", "/proc/1/stat", "/proc/1/status")
        stat, _, status = told.partition("\n")
        allowed = next(line.split()[1] for line in status.splitlines() if line.startswith(ALLOWED))
        if len(parse_cpus(allowed)) != 1:
            raise SystemExit(f"the pod has the cores {allowed}: its node's CPU manager policy is not static")
        return int(stat.rpartition(")")[2].split()[19]) / TICKS, int(allowed)

    def _runs(self, name: str) -> bool:
        """Whether the pod has not ended, as far as it was looked at."""
        if time.monotonic() < self._look_after:
            return True
        phase = self._status(name)["phase"]
        self._look_after = time.monotonic() + LOOK_EVERY
        return phase in ("Pending", "Running")

    def _last_words(self, name: str) -> str:
        """How the container ended, and the end of its log."""
        states = [one.get("state") for one in self._status(name).get("containerStatuses", [])]
        return f"{json.dumps(states)}\n{self._log(name, f'--tail={LAST_LINES}')}"

    def _log(self, name: str, *words: str) -> str:
        return self._run("logs", name, "-c", ENGINE, "--timestamps", *words)

    def _address(self, name: str) -> str:
        return str(self._status(name).get("podIP") or "")

    def _status(self, name: str) -> Any:
        return self._kubectl.get("pod", name, "-n", NAMESPACE)["status"]

    def _run(self, *words: str) -> str:
        return self._kubectl.run(*words[:1], "-n", NAMESPACE, *words[1:], timeout=120)


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
