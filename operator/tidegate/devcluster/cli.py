"""The command line of the cluster tool."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import httpx

from tidegate.devcluster.apiserver import find_programs
from tidegate.devcluster.binaries import Finder, locked
from tidegate.devcluster.cgroups import Cgroups
from tidegate.devcluster.commands import SystemRunner
from tidegate.devcluster.debian import PROGRAMS, Debian
from tidegate.devcluster.download import Downloader
from tidegate.devcluster.embedded import Embedded, require_root
from tidegate.devcluster.errors import ClusterError, LeftoverError
from tidegate.devcluster.gobuild import GoBuilder
from tidegate.devcluster.kindconfig import default_file, read_config
from tidegate.devcluster.layout import DEFAULT_NAME, cache_of, state_of
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import all_tools


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0, 1 (something is left or unhealthy), 2 (it cannot be done)."""
    options = parser().parse_args(arguments)
    progress = Progress(sys.stderr)
    try:
        e = Embedded(
            state_of(os.environ, options.name, options.state),
            cache_of(os.environ),
            read_config(default_file()),
            SystemRunner(),
            progress,
            Cgroups(),
        )
        with httpx.Client() as client:
            runner = SystemRunner()
            builder = GoBuilder(runner, os.environ, progress)
            finder = Finder(
                cache_of(os.environ), os.environ, runner, progress, Downloader(client, progress), builder
            )
            if options.command == "up":
                require_root()
                if e.is_healthy():
                    progress.say("healthy")
                    return 0
                e.up(options.mode, finder.find(t for t in all_tools() if t != "kubectl"))
            elif options.command == "down":
                e.down()
            progress.say("done")
    except (ClusterError, LeftoverError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser()
    p.add_argument("command")
    p.add_argument("--mode", default="full")
    p.add_argument("--name", default=DEFAULT_NAME)
    p.add_argument("--state")
    return p
