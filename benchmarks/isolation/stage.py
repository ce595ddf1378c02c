"""The cluster of two policies and the pods on it. What was not there before is gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from harness.cluster import brought_up, confine
from isolation import manifests
from isolation.kernel import pod_groups, processes
from tests.e2e.conftest import TOOL
from tidegate.devcluster.apiclient import admin_client, apply, get, path_of
from tidegate.devcluster.facts import read_facts
from tidegate.devcluster.layout import state_of
from tidegate.devcluster.policies import TWO_POLICIES

Json = dict[str, Any]
START_BUDGET = 240.0  # seconds; three vLLMs at once on two busy cores
POLL = 0.1
RISE = 1.0  # seconds from a noisy pod's start until all its threads run


@dataclass(frozen=True)
class Worker:
    """A worker's pod that answers."""

    address: str
    uid: str


@dataclass
class Stage:
    """Makes and removes pods, and knows which workers run."""

    client: httpx.Client
    workers: dict[str, Worker] = field(default_factory=dict)

    def start_workers(self, pods: Sequence[Json], ready_path: str) -> list[Worker]:
        """These workers, started all at once; each answers. SystemExit where one does not come."""
        names = [pod["metadata"]["name"] for pod in pods]
        for pod in pods:
            apply(self.client, pod)
        for name in names:
            self.workers[name] = self._answering(name, ready_path)
        return [self.workers[name] for name in names]

    def remove_workers(self, names: Sequence[str]) -> None:
        """Removes these workers, those of them that run; returns when they are gone."""
        running = [name for name in names if name in self.workers]
        for name in running:
            del self.workers[name]
        self._remove(running)

    @contextmanager
    def alone(self, names: Sequence[str]) -> Iterator[None]:
        """All other workers are stopped for the time of the block, those of the other node too.

        An idle vLLM wakes some two thousand times a second, and the other node's kubelet knows nothing of the
        cores that this one gave away.
        """
        others = [worker for name, worker in self.workers.items() if name not in names]
        pids = processes(group for worker in others for group in pod_groups(worker.uid))
        try:
            _signal(pids, signal.SIGSTOP)
            yield
        finally:
            _signal(pids, signal.SIGCONT)

    @contextmanager
    def noise(self, pods: Sequence[Json]) -> Iterator[None]:
        """Noise for the time of the block."""
        names = [pod["metadata"]["name"] for pod in pods]
        try:
            for pod in pods:
                apply(self.client, pod)
            for name in names:
                _until(f"{name} makes noise", partial(self._is_ready, name))
            if pods:
                time.sleep(RISE)
            yield
        finally:
            self._remove(names)

    def still_noisy(self, pods: Sequence[Json]) -> bool:
        """Whether all of this noise goes on: a round beside noise that ended early counts for nothing."""
        return all(self._is_ready(pod["metadata"]["name"]) for pod in pods)

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            self.client.delete(_pod_path(name), params={"gracePeriodSeconds": "0"})
        for name in names:
            _until(f"{name} is gone", partial(self._gone, name))

    def _gone(self, name: str) -> bool:
        return self.client.get(_pod_path(name)).status_code == 404

    def _pod(self, name: str) -> Json:
        return get(self.client, _pod_path(name)) or {}

    def _is_ready(self, name: str) -> bool:
        conditions = self._pod(name).get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def _answering(self, name: str, path: str) -> Worker:
        def address() -> str:
            return str(self._pod(name).get("status", {}).get("podIP") or "")

        _until(f"{name} has an address", lambda: bool(address()))
        _until(f"{name} answers", lambda: _answers(f"http://{address()}:{manifests.PORT}{path}"))
        return Worker(address(), str(self._pod(name)["metadata"]["uid"]))


@contextmanager
def stage(images: Sequence[str] = ("worker", "noise")) -> Iterator[Stage]:
    """The cluster with the namespace. A cluster of another mode is refused by its tool."""
    with brought_up(images, "--mode", TWO_POLICIES):
        state = state_of(os.environ)
        confine(state)
        facts = read_facts(state)
        with admin_client(state.pki, facts.url if facts else "", timeout=30.0) as client, _namespace(client):
            yield Stage(client)


def model_folder(name: str) -> str:
    """The folder of a model on this machine, which the nodes see too."""
    done = subprocess.run([*TOOL, "model", name], stdout=subprocess.PIPE, text=True, timeout=900, check=True)
    return done.stdout.strip().splitlines()[-1]


@contextmanager
def _namespace(client: httpx.Client) -> Iterator[None]:
    path = path_of(manifests.namespace())
    _until("an earlier run's namespace is gone", lambda: not _terminating(get(client, path)))
    apply(client, manifests.namespace())
    apply(client, manifests.code())
    try:
        yield
    finally:
        client.delete(path)
        _until("the namespace is gone", lambda: client.get(path).status_code == 404)


def _terminating(found: Mapping[str, Any] | None) -> bool:
    return found is not None and "deletionTimestamp" in found["metadata"]


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _pod_path(name: str) -> str:
    return f"/api/v1/namespaces/{manifests.NAMESPACE}/pods/{name}"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_BUDGET
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench-isolation: not within {START_BUDGET:g} s: {what}")
        time.sleep(POLL)
