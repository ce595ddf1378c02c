"""Building a program from the Go modules in gomods/, once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.disk import need_disk
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import Tool

MODULES = Path(__file__).parent / "gomods"
LONGEST_BUILD = 3600.0  # seconds; a machine with one slow core and cold caches
BUILD_GIB = 8.0  # Go's build cache grows to 4.3 GB, its module cache to 2.5, the programs to 0.6


@dataclass(frozen=True)
class GoBuilder:
    """Runs `go build`."""

    runner: Runner
    env: Mapping[str, str]
    progress: Progress

    def build(self, tool: Tool, target: Path, place: str) -> None:
        """Builds `tool` into `target`, which appears only when whole. `place` is like `1 of 6`."""
        if shutil.which("go", path=self.env.get("PATH", "")) is None:
            raise ClusterError(
                f"{tool.name} {tool.version} is not on PATH, in KUBEBUILDER_ASSETS or in {target.parent}; "
                "it cannot be downloaded from here, and Go is not installed to build it: "
                "install Go 1.25 or newer (https://go.dev/dl), or put the program on PATH"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        need_disk(target.parent, BUILD_GIB, "building Kubernetes from source")
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        text = f"building {tool.name} {tool.version} ({place}; {_expectation(tool.seconds)})"
        with self.progress.step(text):
            try:
                self.runner.run(build_command(tool, unfinished), env=self._env(), timeout=LONGEST_BUILD)
                unfinished.rename(target)
            finally:
                unfinished.unlink(missing_ok=True)

    def _env(self) -> dict[str, str]:
        return {**self.env, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def build_command(tool: Tool, target: Path) -> list[str]:
    """The command line that builds `tool`."""
    module = str(MODULES / tool.module)
    # Debug information that the linker would drop (-s -w) is not made: 6 % of a build's CPU time.
    flags = ["-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", tool.ldflags]
    return ["go", "build", "-C", module, *flags, "-o", str(target), tool.package]


def _expectation(seconds: int) -> str:
    length = f"{seconds} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
    return f"the first build takes about {length}"
