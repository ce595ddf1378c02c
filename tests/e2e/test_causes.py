"""Real vLLM that cannot run, on the cluster: what REASON `kubectl get inferenceservices` shows, and why.

The most different causes here; ``make campaign-causes`` takes all of them and prints what the user reads.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kubectl import Kubectl, Object, eventually
from tests.e2e.processes import engines_of
from tests.e2e.services import Services
from tests.e2e.test_real_vllm import tiny_chat
from tests.vllm.causes_results import Results

pytestmark = pytest.mark.vllm
CAMPAIGN = bool(os.environ.get("TIDEGATE_CAUSES_RESULTS"))
campaign_only = pytest.mark.skipif(not CAMPAIGN, reason="see `make campaign-causes`")
SECONDS = 180.0  # for a start that fails on a busy machine


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    """What each case came to; printed and written at the end of a campaign."""
    found = Results()
    yield found
    if CAMPAIGN:
        place = Path(os.environ["TIDEGATE_CAUSES_RESULTS"])
        found.write(place.with_name(f"{place.stem}_on_cluster.json"))


class Stage:
    """One service that wants a worker, whatever becomes of it."""

    def __init__(self, kubectl: Kubectl, services: Services, results: Results) -> None:
        self._kubectl, self.services, self._results = kubectl, services, results

    def start(self, name: str, uri: str = "file:///models/tiny-chat", **parts: Any) -> Object:
        """The manifest that was applied; ``parts``: of the spec, beside those of the tiny chat model."""
        manifest = tiny_chat(name, self.services.namespace, uri)
        spec = manifest["spec"]
        spec["scaling"] = {"minReplicas": 1}
        for part, values in parts.items():
            spec[part] = {**spec.get(part, {}), **values}
        self.services.apply(manifest)
        return manifest

    def column(self, name: str) -> str:
        """The REASON that a person reads."""
        place = ("inferenceservices.tidegate.io", name, "-n", self.services.namespace)
        head, row = self._kubectl.run("get", *place).splitlines()
        at = head.index("REASON")
        return row[at:].split()[0] if row[at:].strip() else ""

    def fails(self, name: str, reason: str, said: str) -> None:
        """Until the column has the reason and the condition the sentence."""
        try:
            eventually(lambda: self.column(name) == reason, f"{name} shows {reason}", seconds=SECONDS)
        finally:
            ready = self.services.condition(name, "Ready")
            line = f"{self.column(name)}: {ready.get('message')}"
            self._results.add(name, reason, line, 0.0)
        assert said in self.services.condition(name, "Ready")["message"]


@pytest.fixture
def stage(kubectl: Kubectl, services: Services, results: Results) -> Stage:
    """Services that want a worker at once."""
    return Stage(kubectl, services, results)


def cut_weights() -> bytes:
    """A file whose header promises a tensor of 4 GiB, of which nothing has been copied."""
    tensor = {"dtype": "F32", "shape": [1 << 30], "data_offsets": [0, 4 << 30]}
    header = json.dumps({"lm_head.weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header


def test_weights_that_were_copied_in_part_are_shown_as_an_invalid_model(
    stage: Stage, kubectl: Kubectl
) -> None:
    namespace = stage.services.namespace
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "half-a-model", "namespace": namespace},
            "data": {"config.json": "{}", "tokenizer.json": "{}"},
            "binaryData": {"model.safetensors": base64.b64encode(cut_weights()).decode()},
        }
    )
    volume = {"name": "half", "configMap": {"name": "half-a-model"}}
    mount = {"name": "half", "mountPath": "/half", "readOnly": True}
    stage.start("truncated", "file:///half", pod={"volumes": [volume], "volumeMounts": [mount]})
    stage.fails("truncated", "InvalidModel", "/half/model.safetensors has")


def test_a_cache_on_the_read_only_root_is_shown_as_not_writable(stage: Stage) -> None:
    stage.start("no-cache", "hf://nobody/nothing", engine={"env": [{"name": "HF_HOME", "value": "/cache"}]})
    stage.fails("no-cache", "NotWritable", "/cache (HF_HOME) cannot be written by user 1000")


def test_an_engine_that_needs_more_than_its_memory_is_shown_as_killed_for_it(stage: Stage) -> None:
    stage.start("too-small", resources={"memory": "640Mi", "sharedMemory": "64Mi"})
    stage.fails("too-small", "OOMKilled", "memory")


@campaign_only
def test_an_argument_that_vllm_does_not_know_is_shown(stage: Stage) -> None:
    stage.start("bad-flag", engine={"args": ["--no-such-flag"]})
    stage.fails("bad-flag", "BadArgument", "unrecognized arguments: --no-such-flag")


@campaign_only
def test_a_start_that_hangs_until_its_deadline_says_where(stage: Stage) -> None:
    stage.start("hangs", engine={"startupDeadlineSeconds": 10})
    _when_it_runs(stage, "hangs", signal.SIGSTOP)
    stage.fails("hangs", "StartupDeadlineExceeded", "when it was told to stop")


@campaign_only
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_an_engine_that_a_signal_ends_while_it_starts_says_which(
    stage: Stage, number: signal.Signals
) -> None:
    name = number.name.lower()
    stage.start(name)
    _when_it_runs(stage, name, number)
    stage.fails(name, "EngineKilled", f"({number.name})")


def _when_it_runs(stage: Stage, name: str, number: signal.Signals) -> None:
    """Sends the signal to the engine's first process, the child of the container's first."""

    def server() -> list[int]:
        pods = stage.services.pods(name)
        return sorted(engines_of(pods[0]))[1:2] if pods else []

    eventually(lambda: bool(server()), "the engine runs", seconds=60)
    os.kill(server()[0], number)
