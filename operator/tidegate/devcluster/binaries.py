"""Finding the programs: PATH, KUBEBUILDER_ASSETS, the user's cache, a download, and last the Go build."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.download import Downloader
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.gobuild import GoBuilder
from tidegate.devcluster.layout import Cache
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import Tool, all_tools


@dataclass(frozen=True)
class Finder:
    """Finds programs, and makes those that are nowhere."""

    cache: Cache
    env: Mapping[str, str]
    runner: Runner
    progress: Progress
    downloader: Downloader
    builder: GoBuilder

    def find(self, names: Iterable[str]) -> dict[str, Path]:
        """Name → executable, for each name. ClusterError if one can neither be found nor made."""
        tools = [all_tools()[name] for name in names]
        found = self._present(tools)
        missing = [tool for tool in tools if tool.name not in found]
        if not missing:
            return found
        with locked(self.cache.binaries / ".lock", self.progress):
            found |= self._present(missing)  # the other one may have made them while we waited
            return found | self._make([tool for tool in missing if tool.name not in found])

    def _present(self, tools: Iterable[Tool]) -> dict[str, Path]:
        ways: tuple[Callable[[Tool], Path | None], ...] = (self._on_path, self._in_assets, self._in_cache)
        found = {}
        for tool in tools:
            for way in ways:
                if path := way(tool):
                    found[tool.name] = path
                    break
        return found

    def _on_path(self, tool: Tool) -> Path | None:
        place = shutil.which(tool.name, path=self.env.get("PATH", ""))
        return self._if_accepted(tool, Path(place)) if place else None

    def _in_assets(self, tool: Tool) -> Path | None:
        folder = self.env.get("KUBEBUILDER_ASSETS")
        file = Path(folder or os.devnull) / tool.name
        return self._if_accepted(tool, file) if folder and os.access(file, os.X_OK) else None

    def _in_cache(self, tool: Tool) -> Path | None:
        file = cached(self.cache, tool)
        return file if os.access(file, os.X_OK) else None

    def _if_accepted(self, tool: Tool, file: Path) -> Path | None:
        printed = self.runner.run([file, *tool.version_args], check=False, timeout=60)
        return file if printed.code == 0 and tool.accepts(printed.stdout + printed.stderr) else None

    def _make(self, tools: list[Tool]) -> dict[str, Path]:
        made = {}
        for tool in tools:
            if self.downloader.fetch(tool, cached(self.cache, tool)):
                made[tool.name] = cached(self.cache, tool)
        return made | self._build([tool for tool in tools if tool.name not in made])

    def _build(self, tools: list[Tool]) -> dict[str, Path]:
        """Builds, two modules at once: one compiles on the core that the other's linker leaves idle."""
        places = {tool.name: f"{index} of {len(tools)}" for index, tool in enumerate(tools, 1)}

        def build(module: str) -> None:
            for tool in tools:
                if tool.module == module:
                    self.builder.build(tool, cached(self.cache, tool), places[tool.name])

        modules = dict.fromkeys(tool.module for tool in tools)  # a set that keeps the order
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(build, module) for module in modules]:
                done.result()
        return {tool.name: cached(self.cache, tool) for tool in tools}


def cached(cache: Cache, tool: Tool) -> Path:
    """Where the cache keeps a program."""
    return cache.binaries / tool.folder / tool.name


def link_programs(programs: Mapping[str, Path], folder: Path) -> None:
    """Makes links to programs in a folder, each replaced in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in programs.items():
        fresh = folder / f".{name}.{os.getpid()}"
        fresh.symlink_to(program)
        fresh.rename(folder / name)


def path_without(path: str, *folders: Path) -> str:
    """A PATH without some folders."""
    left_out = {str(folder) for folder in folders}
    return os.pathsep.join(folder for folder in path.split(os.pathsep) if folder not in left_out)


@contextmanager
def locked(file: Path, progress: Progress) -> Iterator[None]:
    """Holds a lock file; says so when somebody else has it first."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    except OSError as error:
        raise ClusterError(f"cannot write {file}: {error.strerror}; set XDG_CACHE_HOME elsewhere") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"another run is preparing the same; waiting for it ({file})")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
