"""The provider kind: a cluster in containers, where a Docker engine answers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.catalog import NOISE, OPERATOR, SIMULATOR, WORKER
from tidegate.devcluster.kindconfig import REPOSITORY
from tidegate.devcluster.layout import State
from tidegate.devcluster.policies import TWO_POLICIES
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import architecture

ENGINE_TIMEOUT = 5.0  # seconds; an engine that is there answers at once
LONGEST = 3600.0
VLLM = "v0.32.0"
PYTHON_IMAGE = "python:3.11-slim-bookworm"
SIMULATOR_DOCKERFILE = f"""\
FROM {PYTHON_IMAGE}
COPY tests/engine_sim/engine.py tests/engine_sim/pod.py /
COPY worker-image/tidegate_worker /tidegate_worker
USER 1000:1000
ENTRYPOINT ["python3", "/pod.py"]
"""

# short name → name, build context, Dockerfile (None: SIMULATOR_DOCKERFILE)
BUILDS: Mapping[str, tuple[str, str, str | None]] = {
    "operator": (OPERATOR, ".", "Dockerfile"),
    "sim": (SIMULATOR, ".", None),
    "worker": (WORKER, "worker-image", "worker-image/Dockerfile.cpu"),
    "noise": (NOISE, "benchmarks/isolation/noise", "benchmarks/isolation/noise/Dockerfile"),
}


@dataclass(frozen=True)
class Kind:
    """Runs kind and docker."""

    state: State
    cluster: str
    config: Path
    runner: Runner
    progress: Progress
    repository: Path = REPOSITORY
    name: str = "kind"

    def up(self, mode: str) -> None:
        """Creates the cluster, or takes the one of this name that is there."""
        if mode == TWO_POLICIES:
            raise ClusterError("mode two-policies is the embedded cluster's: add --provider embedded")
        self.state.make()
        if self.cluster in self._clusters():
            self._kind("export", "kubeconfig", *self._place())
            self.progress.say(f"the kind cluster {self.cluster} is there already")
            return
        with self.progress.step(f"creating the kind cluster {self.cluster} (a minute or two)"):
            self._kind(
                "create", "cluster", "--config", str(self._config_for(mode)), "--wait", "180s", *self._place()
            )

    def down(self) -> None:
        """Deletes the cluster and the state folder."""
        if self.cluster in self._clusters():
            self._kind("delete", "cluster", *self._place())
        self.state.remove()
        self.progress.say(f"down; no kind cluster {self.cluster} is left")

    def status(self) -> tuple[bool, list[str]]:
        """See Provider."""
        if self.cluster not in self._clusters():
            return False, [f"there is no kind cluster {self.cluster}"]
        answer = self.runner.run(
            ["kubectl", "--kubeconfig", self.state.kubeconfig, "get", "nodes"], check=False, timeout=60
        )
        return answer.code == 0, (answer.stdout or answer.stderr).splitlines()

    def load(self, names: Sequence[str]) -> None:
        """`docker build` and `kind load`; both skip what has not changed."""
        for short in names:
            image, context, dockerfile = BUILDS[short]
            with self.progress.step(f"building {image} with Docker"):
                self._build(image, context, dockerfile)
            self._kind("load", "docker-image", image, "--name", self.cluster)

    def prepare(self, names: Sequence[str]) -> None:
        """Builds images; kind itself needs nothing more."""
        for short in names:
            with self.progress.step(f"building {BUILDS[short][0]} with Docker"):
                self._build(*BUILDS[short])

    def environment(self) -> Mapping[str, str]:
        """See Provider."""
        return {"KUBECONFIG": str(self.state.kubeconfig), "PATH": os.environ.get("PATH", "")}

    def _build(self, image: str, context: str, dockerfile: str | None) -> None:
        file = str(self.repository / dockerfile) if dockerfile else "-"
        argument = ["--build-arg", f"VLLM_IMAGE={vllm_image()}"] if image == WORKER else []
        command = [
            "docker",
            "build",
            "--tag",
            image,
            "--file",
            file,
            *argument,
            str(self.repository / context),
        ]
        self.runner.run(command, timeout=LONGEST, stdin=None if dockerfile else SIMULATOR_DOCKERFILE)

    def _clusters(self) -> list[str]:
        return self.runner.run(["kind", "get", "clusters"], timeout=30).stdout.split()

    def _place(self) -> list[str]:
        return ["--name", self.cluster, "--kubeconfig", str(self.state.kubeconfig)]

    def _config_for(self, mode: str) -> Path:
        if mode != "two-nodes":
            return self.config
        document = yaml.safe_load(self.config.read_text())
        document["nodes"].append({"role": "worker"})
        file = self.state.root / "kind-config.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return file

    def _kind(self, *words: str) -> None:
        self.runner.run(["kind", *words], timeout=LONGEST)


def vllm_image() -> str:
    """vLLM's official image for CPUs; $VLLM_IMAGE names another, by its digest say."""
    suffix = {"amd64": "x86_64"}.get(architecture(), architecture())
    return os.environ.get("VLLM_IMAGE", f"vllm/vllm-openai-cpu:{VLLM}-{suffix}")


def engine_answers(runner: Runner) -> bool:
    """Whether a Docker engine answers on this machine."""
    if shutil.which("docker") is None:
        return False
    try:
        return runner.run(["docker", "info"], check=False, timeout=ENGINE_TIMEOUT).code == 0
    except ClusterError:  # it did not answer in time
        return False
