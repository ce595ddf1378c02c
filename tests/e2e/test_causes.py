"""Real vLLM that cannot run, on the cluster: what `kubectl get` and `describe inferenceservice` show.

What a person does wrong first, side by side; ``make campaign-causes-on-cluster`` adds what takes longer.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cluster_causes import CASES, GPU, NO_GPU, Case, config_maps
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.processes import engines_of
from tests.e2e.services import Services
from tests.e2e.small_workers import forget, make_small
from tests.vllm.causes_results import Results

pytestmark = pytest.mark.vllm
PLACE = os.environ.get("TIDEGATE_CAUSES_RESULTS", "")
campaign_only = pytest.mark.skipif(not PLACE, reason="see `make campaign-causes-on-cluster`")
KIND = "inferenceservices.tidegate.io"
SECONDS = 300.0  # for starts that fail on a busy machine


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    """What each case came to; printed and written at the end of a campaign."""
    found = Results()
    yield found
    if PLACE:
        found.write(Path(PLACE))


class Stage:
    """Services that want a worker, whatever becomes of them."""

    def __init__(self, kubectl: Kubectl, services: Services, results: Results) -> None:
        self._kubectl, self.services, self._results = kubectl, services, results
        self._cases: dict[str, tuple[Case, float]] = {}
        kubectl.apply(*config_maps(services.namespace))

    def start(self, name: str, case: Case) -> None:
        """Writes the service; what it must show is judged by ``all_show``."""
        self.services.apply(case.manifest(name, self.services.namespace))
        self._cases[name] = case, time.monotonic()

    def column(self) -> dict[str, str]:
        """The REASON that a person reads of each service."""
        head, *rows = self._kubectl.run("get", KIND, "-n", self.services.namespace).splitlines()
        at = head.index("REASON")
        return {row.split()[0]: (row[at:].split() or [""])[0] for row in rows}

    def shown(self, name: str) -> str:
        """REASON and sentence of one service."""
        return f"{self.column().get(name)}: {self.services.condition(name, 'Ready').get('message')}"

    def all_show(self) -> None:
        """Until every service has shown its reason. Who has goes, and gives its core and its time away."""
        try:
            eventually(self._all_seen, "every service shows its reason", seconds=SECONDS)
        except AssertionError as error:
            left = {name: self.shown(name) for name in self._cases}
            raise AssertionError(f"{error}; these do not: {left}") from error
        finally:
            for name in list(self._cases):
                self._note(name)

    def _all_seen(self) -> bool:
        shown = self.column()
        for name in [each for each, (case, _) in self._cases.items() if shown.get(each) == case.reason]:
            self._judge(name, self._note(name))
        return not self._cases

    def _note(self, name: str) -> Case:
        """What it shows now is its result."""
        case, began = self._cases.pop(name)
        self._results.add(case.about, case.reason, self.shown(name), time.monotonic() - began)
        return case

    def _judge(self, name: str, case: Case) -> None:
        place = (KIND, name, "-n", self.services.namespace)
        described = " ".join(self._kubectl.run("describe", *place).split())
        assert f"Reason: {case.reason} Status: False Type: Ready" in described, described
        assert case.said in described, described
        self._kubectl.run("delete", *place, "--wait=false")


@pytest.fixture
def stage(kubectl: Kubectl, services: Services, results: Results) -> Iterator[Stage]:
    """Services that want a worker at once; small ones, where the cluster can make them so."""
    try:
        make_small(kubectl, services.namespace)
        yield Stage(kubectl, services, results)
    finally:
        forget(kubectl, services.namespace)


def test_each_service_that_cannot_run_shows_its_own_reason(stage: Stage) -> None:
    for name, case in CASES.items():
        stage.start(name, case)
    stage.all_show()


@contextmanager
def node_that_claims_a_device(kubectl: Kubectl) -> Iterator[None]:
    """Its status offers a GPU and it has none, as where a driver or its runtime is missing or broken."""
    nodes = kubectl.get("nodes")["items"]
    name = next(each["metadata"]["name"] for each in nodes if not each["spec"].get("taints"))

    def offer(amount: str | None) -> None:
        change = {"status": {"capacity": {GPU: amount}, "allocatable": {GPU: amount}}}
        kubectl.run("patch", "node", name, "--subresource=status", "--type=merge", "-p", json.dumps(change))

    offer("1")
    try:
        yield
    finally:
        offer(None)


def test_a_device_that_no_node_has_is_named_and_so_is_a_node_that_only_claims_it(
    stage: Stage, kubectl: Kubectl, results: Results
) -> None:
    if any(GPU in node["status"]["capacity"] for node in kubectl.get("nodes")["items"]):
        pytest.skip("this cluster has GPUs")
    began = time.monotonic()
    stage.start("no-gpu", NO_GPU)
    told = f"Unschedulable: no node has enough {GPU} left"
    try:
        eventually(lambda: stage.shown("no-gpu").startswith(told), told, seconds=SECONDS)
    finally:
        results.add(
            "a device that no node has", "Unschedulable", stage.shown("no-gpu"), time.monotonic() - began
        )
    with node_that_claims_a_device(kubectl):
        stage.all_show()


@campaign_only
def test_a_start_that_hangs_until_its_deadline_says_where(stage: Stage) -> None:
    late = Case(
        "a start that hangs",
        "StartupDeadlineExceeded",
        "when it was told to stop",
        parts={"engine": {"startupDeadlineSeconds": 10}},
    )
    stage.start("hangs", late)
    _when_it_runs(stage, "hangs", signal.SIGSTOP)
    stage.all_show()


@campaign_only
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_an_engine_that_a_signal_ends_while_it_starts_says_which(
    stage: Stage, number: signal.Signals
) -> None:
    name = number.name.lower()
    about = f"an engine that {number.name} ends while it starts"
    stage.start(name, Case(about, "EngineKilled", f"({number.name})"))
    _when_it_runs(stage, name, number)
    stage.all_show()


def _when_it_runs(stage: Stage, name: str, number: signal.Signals) -> None:
    """Sends the signal to the engine's first process, the child of the container's first."""

    def server() -> list[int]:
        pods = stage.services.pods(name)
        return sorted(engines_of(pods[0]))[1:2] if pods else []

    eventually(lambda: bool(server()), "the engine runs", seconds=60)
    os.kill(server()[0], number)
