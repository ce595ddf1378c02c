"""One run of the tool: what the options mean, and everything put together."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from tidegate.devcluster.binaries import Finder, link_programs, locked, path_without
from tidegate.devcluster.cgroups import Cgroups
from tidegate.devcluster.commands import Runner
from tidegate.devcluster.context import Context
from tidegate.devcluster.debian import PROGRAMS, Debian
from tidegate.devcluster.download import Downloader
from tidegate.devcluster.embedded import Embedded, require_root
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.facts import read_facts
from tidegate.devcluster.faults import Faults
from tidegate.devcluster.gobuild import GoBuilder
from tidegate.devcluster.images.recipe import Kitchen
from tidegate.devcluster.kind import Kind, engine_answers
from tidegate.devcluster.kindconfig import REPOSITORY, default_file, read_config
from tidegate.devcluster.layout import Cache, State, cache_of, state_of
from tidegate.devcluster.local import FOR_PEOPLE, ApiServerProvider, EmbeddedProvider
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.providers import Provider
from tidegate.devcluster.tools import CONTROL_PLANE

PROVIDERS = ("auto", "kind", "context", "embedded")
IMAGES = ("operator", "worker", "sim")
BENCHMARK_IMAGES = ("noise",)  # by their names only, never of "all"
MODELS = {"minilm": "fetch_minilm.py", "tiny-chat": "make_tiny_model.py"}  # in worker-image/
VARIABLE = "TIDEGATE_CLUSTER"  # the provider, where the command line does not say it
MODEL_BUDGET = 900.0  # seconds


@dataclass(frozen=True)
class Tool:
    """One run."""

    options: argparse.Namespace
    env: Mapping[str, str]
    progress: Progress
    runner: Runner
    client: httpx.Client

    def run(self) -> int:
        """Runs the command; its exit code."""
        readers: dict[str, Callable[[], int]] = {
            "env": self._env,
            "status": self._status,
            "tools": self._tools,
            "model": self._model,
        }
        if reader := readers.get(self.options.command):
            return reader()
        self.state.must_be_ours()
        with locked(self.state.root.with_name(f".{self.state.root.name}.lock"), self.progress):
            self._change()
        return 0

    def provider(self) -> Provider:
        """The provider that the options, the running cluster, or the machine ask for."""
        if self.mode == "apiserver":
            return ApiServerProvider(self.state, self.finder(), self.progress)
        name = self._provider_name()
        if name == "kind":
            return Kind(self.state, self.options.name, default_file(), self.runner, self.progress)
        if name == "context":
            return Context(self.runner, self.progress)
        debian = Debian(self.runner, self.progress, PROGRAMS)
        kitchen = Kitchen(self.runner, self.cache, self.progress)
        return EmbeddedProvider(self.embedded(), self.finder(), debian, kitchen)

    def embedded(self) -> Embedded:
        """The embedded cluster of this state."""
        config = read_config(default_file())
        return Embedded(self.state, self.cache, config, self.runner, self.progress, Cgroups())

    def finder(self) -> Finder:
        """Finds programs for this user, and never takes our own links for programs."""
        env = {**self.env, "PATH": path_without(self.env.get("PATH", ""), self.state.bin, self.cache.links)}
        builder = GoBuilder(self.runner, env, self.progress)
        downloader = Downloader(self.client, self.progress)
        return Finder(self.cache, env, self.runner, self.progress, downloader, builder)

    @property
    def mode(self) -> str:
        """The mode asked for, else that of the cluster that is there, else full."""
        facts = read_facts(self.state)
        return str(self.options.mode or (facts.mode if facts else "full"))

    @property
    def state(self) -> State:
        """The cluster's state. An API server alone has its own, beside the cluster's."""
        suffix = "-apiserver" if self.options.mode == "apiserver" else ""
        return state_of(self.env, self.options.name + suffix, self.options.state)

    @property
    def cache(self) -> Cache:
        """The user's cache."""
        return cache_of(self.env)

    def _change(self) -> None:
        changes: dict[str, Callable[[], None]] = {
            "up": lambda: self.provider().up(self.mode),
            "down": lambda: self.provider().down(),
            "images": lambda: self.provider().load(self._images()),
            "prepare": lambda: self.provider().prepare(self._images()),
            "stop": lambda: self._faults().stop(self.options.process),
            "start": lambda: self._faults().start(self.options.process),
        }
        changes[self.options.command]()

    def _env(self) -> int:
        _print_for_shell(self.provider().environment())
        return 0

    def _status(self) -> int:
        healthy, lines = self.provider().status()
        print("\n".join(lines))
        return 0 if healthy else 1

    def _tools(self) -> int:
        programs = self.finder().find([*FOR_PEOPLE, *CONTROL_PLANE])
        link_programs(programs, self.cache.links)
        _print_for_shell({"PATH": f"{self.cache.links}:{self.env.get('PATH', '')}"})
        return 0

    def _model(self) -> int:
        script = REPOSITORY / "worker-image" / MODELS[self.options.model]
        with self.progress.step(f"getting the model {self.options.model}"):
            printed = self.runner.run([sys.executable, str(script)], timeout=MODEL_BUDGET)
        print(printed.stdout.strip())
        return 0

    def _faults(self) -> Faults:
        require_root()
        return Faults(self.embedded())

    def _provider_name(self) -> str:
        name: str = self.options.provider or self.env.get(VARIABLE) or "auto"
        if name not in PROVIDERS:
            raise ClusterError(f"{VARIABLE} is {name!r}: it must be one of {', '.join(PROVIDERS)}")
        if name != "auto":
            return name
        if read_facts(self.state) is not None or not engine_answers(self.runner):
            return "embedded"
        if shutil.which("kind") is None:
            self.progress.say("Docker answers, but kind is not installed: using the embedded cluster")
            return "embedded"
        return "kind"

    def _images(self) -> list[str]:
        asked = self.options.images
        if "all" in asked:
            return list(IMAGES)
        return [name for name in asked if name != "none"]


def _print_for_shell(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
