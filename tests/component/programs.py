"""Programs that tests call: from PATH or the user's cache; built or downloaded where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx

from tidegate.devcluster.binaries import Finder
from tidegate.devcluster.commands import SystemRunner
from tidegate.devcluster.download import Downloader
from tidegate.devcluster.gobuild import GoBuilder
from tidegate.devcluster.layout import cache_of
from tidegate.devcluster.progress import Progress


def find_program(name: str) -> Path:
    """helm or kubectl."""
    progress = Progress(sys.stderr)
    runner = SystemRunner()
    with httpx.Client() as client:
        builder = GoBuilder(runner, os.environ, progress)
        cache = cache_of(os.environ)
        finder = Finder(cache, os.environ, runner, progress, Downloader(client, progress), builder)
        return finder.find((name,))[name]
