"""The command line of the cluster tool."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tidegate.devcluster.binaries import Finder, locked
from tidegate.devcluster.cgroups import Cgroups
from tidegate.devcluster.commands import Runner, SystemRunner
from tidegate.devcluster.context import Context
from tidegate.devcluster.debian import PROGRAMS, Debian
from tidegate.devcluster.download import Downloader
from tidegate.devcluster.embedded import MODES, Embedded
from tidegate.devcluster.errors import ClusterError, LeftoverError
from tidegate.devcluster.facts import read_facts
from tidegate.devcluster.gobuild import GoBuilder
from tidegate.devcluster.images.recipe import Kitchen
from tidegate.devcluster.kind import Kind, engine_answers
from tidegate.devcluster.kindconfig import default_file, read_config
from tidegate.devcluster.layout import DEFAULT_NAME, Cache, State, cache_of, state_of
from tidegate.devcluster.local import ApiServerProvider, EmbeddedProvider
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.providers import Provider

PROVIDERS = ("auto", "kind", "context", "embedded")
IMAGES = ("operator", "worker", "sim")
VARIABLE = "TIDEGATE_CLUSTER"  # the provider, where the command line does not say it


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0, 1 (something is left, or unhealthy), 2 (it cannot be done)."""
    options = parser().parse_args(arguments)
    progress = Progress(sys.stderr)
    try:
        with httpx.Client() as client:
            return Tool(options, progress, SystemRunner(), client).run()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except LeftoverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--mode", choices=(*MODES, "apiserver"), help="what is started (default: full)")
    common.add_argument(
        "--provider", choices=PROVIDERS, help=f"where it runs (default: ${VARIABLE}, else auto)"
    )
    common.add_argument("--state", metavar="DIR", help="the cluster's folder (default: by --name)")
    common.add_argument("--name", default=DEFAULT_NAME, help=f"the cluster's name (default: {DEFAULT_NAME})")
    whole = argparse.ArgumentParser(prog="python -m tidegate.devcluster", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, about in (
        ("up", "start the cluster; nothing is done when it is healthy"),
        ("down", "remove it, and verify that nothing is left"),
        ("status", "say what runs"),
        ("env", 'print KUBECONFIG and PATH for a shell: eval "$(python -m tidegate.devcluster env)"'),
    ):
        commands.add_parser(name, parents=[common], help=about)
    for name, about in (
        ("prepare", "get programs, packages and images, without starting anything"),
        ("images", "build images and bring them into the cluster"),
    ):
        command = commands.add_parser(name, parents=[common], help=about)
        command.add_argument("images", nargs="*", choices=(*IMAGES, "all", "none"), default="all")
    return whole


@dataclass(frozen=True)
class Tool:
    """One run of the tool."""

    options: argparse.Namespace
    progress: Progress
    runner: Runner
    client: httpx.Client

    def run(self) -> int:
        """Runs the command."""
        command = self.options.command
        if command == "env":
            for name, value in self.provider().environment().items():
                print(f"export {name}={shlex.quote(value)}")
            return 0
        if command == "status":
            healthy, lines = self.provider().status()
            print("\n".join(lines))
            return 0 if healthy else 1
        with locked(self.state.root.with_name(f".{self.state.root.name}.lock"), self.progress):
            self._change(command)
        return 0

    def _change(self, command: str) -> None:
        provider = self.provider()
        if command == "up":
            provider.up(self.mode)
        elif command == "down":
            provider.down()
            self.progress.say("down; nothing is left")
        elif command == "images":
            provider.load(self._images())
        else:
            self._prepare(provider)

    def provider(self) -> Provider:
        """The provider that the options, the running cluster, or the machine ask for."""
        if self.mode == "apiserver":
            return ApiServerProvider(self.state, self.finder(), self.progress)
        name = self._provider_name()
        if name == "kind":
            return Kind(self.state, self.options.name, default_file(), self.runner, self.progress)
        if name == "context":
            return Context(self.runner, self.progress)
        return self.embedded()

    def embedded(self) -> EmbeddedProvider:
        """The embedded cluster of this state."""
        cluster = Embedded(
            self.state, self.cache, read_config(default_file()), self.runner, self.progress, Cgroups()
        )
        debian = Debian(self.runner, self.progress, PROGRAMS)
        return EmbeddedProvider(
            cluster, self.finder(), debian, Kitchen(self.runner, self.cache, self.progress)
        )

    def finder(self) -> Finder:
        """Finds programs for this user."""
        folders = os.environ.get("PATH", "").split(os.pathsep)
        path = os.pathsep.join(folder for folder in folders if folder != str(self.state.bin))  # only our links
        builder = GoBuilder(self.runner, os.environ, self.progress)
        downloader = Downloader(self.client, self.progress)
        env = {**os.environ, "PATH": path}
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
        return state_of(os.environ, self.options.name + suffix, self.options.state)

    @property
    def cache(self) -> Cache:
        """The user's cache."""
        return cache_of(os.environ)

    def _provider_name(self) -> str:
        name: str = self.options.provider or os.environ.get(VARIABLE) or "auto"
        if name not in PROVIDERS:
            raise ClusterError(f"{VARIABLE} is {name!r}: it must be one of {', '.join(PROVIDERS)}")
        if name != "auto":
            return name
        if read_facts(self.state) is not None or not engine_answers(self.runner):
            return "embedded"
        if shutil.which("kind") is None:
            self.progress.say(
                "a Docker engine answers, but kind is not installed: using the embedded cluster"
            )
            return "embedded"
        return "kind"

    def _images(self) -> list[str]:
        asked = self.options.images
        if asked in ("all", ["all"]):
            return list(IMAGES)
        return [name for name in asked if name != "none"]

    def _prepare(self, provider: Provider) -> None:
        if isinstance(provider, EmbeddedProvider):
            provider.prepare_all(self._images())
        elif isinstance(provider, ApiServerProvider):
            provider.prepare()


def repository() -> Path:
    """The checkout that this tool belongs to."""
    return default_file().parent
