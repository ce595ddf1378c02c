"""The providers that start programs on this machine: the embedded cluster, and the API server alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.apiclient import admin_client, is_ready
from tidegate.devcluster.apiserver import launch
from tidegate.devcluster.binaries import Finder, cached, link_programs
from tidegate.devcluster.debian import Debian
from tidegate.devcluster.disk import need_disk
from tidegate.devcluster.embedded import Embedded, require_root
from tidegate.devcluster.errors import ClusterError, LeftoverError
from tidegate.devcluster.facts import Facts, read_facts
from tidegate.devcluster.gobuild import BUILD_GIB
from tidegate.devcluster.images.catalog import catalog
from tidegate.devcluster.images.recipe import Kitchen, Recipe
from tidegate.devcluster.images.small import busybox_image
from tidegate.devcluster.layout import State
from tidegate.devcluster.processes import ProcessTable
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import CONTROL_PLANE, NODE, all_tools

FOR_PEOPLE = ("kubectl", "helm")
STATE_GIB = 2.0  # etcd, logs, the audit log
CLUSTER_GIB = 4.0  # and small images


@dataclass(frozen=True)
class EmbeddedProvider:
    """The embedded cluster with its programs, packages and images."""

    embedded: Embedded
    finder: Finder
    debian: Debian
    kitchen: Kitchen
    name: str = "embedded"

    def programs(self) -> dict[str, Path]:
        """Gets programs and Debian's packages, at once; name → program."""
        need_disk(self.embedded.state.root, CLUSTER_GIB, "the embedded cluster")
        return self._all_at_once(self.debian.install)

    def prepare(self, names: Sequence[str]) -> None:
        """See Provider. Programs are built while base systems are made and folders of images filled."""
        recipes = [catalog()[name]() for name in names]
        need_disk(self.embedded.cache.root, self._missing_gib(recipes), "preparing the embedded cluster")
        self.debian.require_possible()

        def bases() -> None:
            self.debian.install()
            for recipe in recipes:
                self.kitchen.make_base(recipe)

        def folders() -> None:
            for recipe in recipes:
                self.kitchen.make_folders(recipe)

        self._all_at_once(bases, folders)

    def _all_at_once(self, *tasks: Callable[[], None]) -> dict[str, Path]:
        """Runs tasks while programs are found or built; name → program."""
        with ThreadPoolExecutor(len(tasks)) as pool:
            running = [pool.submit(task) for task in tasks]
            programs = self.finder.find([*CONTROL_PLANE, *NODE, "coredns", *FOR_PEOPLE])
            for task in running:
                task.result()
        return programs

    def _missing_gib(self, recipes: Sequence[Recipe]) -> float:
        """All of it at once, so that a full disk is known before half an hour of work and not after."""
        server = all_tools()["kube-apiserver"]
        programs = 0 if cached(self.embedded.cache, server).exists() else BUILD_GIB
        return CLUSTER_GIB + programs + sum(self.kitchen.missing_gib(recipe) for recipe in recipes)

    def up(self, mode: str) -> None:
        """See Provider."""
        require_root()
        facts = read_facts(self.embedded.state)
        if self.embedded.is_healthy() and facts is not None:
            if facts.mode != mode:
                raise ClusterError(
                    f"a cluster in mode {facts.mode} runs already: run `down` before `up --mode {mode}`"
                )
            self.embedded.progress.say(f"the embedded cluster is up and healthy ({facts.url})")
            return
        programs = self.programs()
        self.embedded.up(mode, programs)
        link_programs({name: programs[name] for name in FOR_PEOPLE}, self.embedded.state.bin)
        for node in self.embedded.nodes(mode):
            self.embedded.store(node).add(busybox_image(self.embedded.runner))
        self.embedded.progress.say(f"the embedded cluster is up: {self.embedded.plane.url}")

    def down(self) -> None:
        """See Provider."""
        require_root()
        self.embedded.down()
        self.embedded.progress.say("down; nothing is left")

    def status(self) -> tuple[bool, list[str]]:
        """See Provider."""
        facts = read_facts(self.embedded.state)
        if facts is None:
            return False, ["no embedded cluster is up"]
        table = self.embedded.table
        lines = [f"{name}: {'runs' if table.alive(name) else 'has ended'}" for name in facts.processes]
        healthy = self.embedded.is_healthy()
        return healthy, [f"{facts.mode} at {facts.url}: {'healthy' if healthy else 'not healthy'}", *lines]

    def load(self, names: Sequence[str]) -> None:
        """See Provider."""
        require_root()
        facts = read_facts(self.embedded.state)
        if facts is None:
            raise ClusterError("no embedded cluster is up: run `up` first")
        for name in names:
            image = self.kitchen.make(catalog()[name]())
            for node in self.embedded.nodes(facts.mode):
                with self.embedded.progress.step(f"bringing {image.name} to {node.name}"):
                    self.embedded.store(node).add(image)

    def environment(self) -> Mapping[str, str]:
        """See Provider."""
        return shell_environment(self.embedded.state)


@dataclass(frozen=True)
class ApiServerProvider:
    """etcd and an API server on the loopback."""

    state: State
    finder: Finder
    progress: Progress
    name: str = "apiserver"

    def prepare(self, names: Sequence[str]) -> None:
        """Gets the programs."""
        if names:
            self.progress.say("mode apiserver has no nodes: no images are prepared")
        self.finder.find(CONTROL_PLANE)

    def up(self, mode: str) -> None:
        """See Provider."""
        facts = read_facts(self.state)
        if facts is not None and facts.mode != mode:
            raise ClusterError(
                f"{self.state.root} belongs to a cluster in mode {facts.mode}: name another folder"
            )
        if self.status()[0]:
            self.progress.say("the API server is up and healthy")
            return
        need_disk(self.state.root, STATE_GIB, "an API server")
        programs = self.finder.find(CONTROL_PLANE)
        self._remove()
        server = launch(self.state, programs, bound=False)
        Facts(mode, server.url, [], CONTROL_PLANE).write(self.state)
        self.progress.say(f"the API server is up: {server.url}")

    def down(self) -> None:
        """See Provider."""
        self._remove()
        self.progress.say("down; nothing is left")

    def _remove(self) -> None:
        table = ProcessTable(self.state)
        table.kill_everything()
        if left := table.everything():
            raise LeftoverError(f"still there: processes {', '.join(map(str, left))}")
        self.state.remove()

    def status(self) -> tuple[bool, list[str]]:
        """See Provider."""
        facts = read_facts(self.state)
        if facts is None:
            return False, ["no API server is up"]
        table = ProcessTable(self.state)
        ended = [name for name in facts.processes if not table.alive(name)]
        if ended:  # asked first: the API server goes on being ready for a while without etcd
            return False, [f"{facts.mode} at {facts.url}: {' and '.join(ended)} has ended"]
        with admin_client(self.state.pki, facts.url) as client:
            healthy = is_ready(client)
        return healthy, [f"{facts.mode} at {facts.url}: {'healthy' if healthy else 'does not answer'}"]

    def load(self, names: Sequence[str]) -> None:
        """Nothing runs here."""
        raise ClusterError(f"mode apiserver has no nodes, so images ({', '.join(names)}) have nowhere to go")

    def environment(self) -> Mapping[str, str]:
        """See Provider."""
        return shell_environment(self.state)


def shell_environment(state: State) -> dict[str, str]:
    """KUBECONFIG, and PATH with this cluster's kubectl and helm before others."""
    return {"KUBECONFIG": str(state.kubeconfig), "PATH": f"{state.bin}:{os.environ.get('PATH', '')}"}
