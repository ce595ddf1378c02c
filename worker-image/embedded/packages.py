"""uv: locks requirements and installs locked ones into a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PLATFORM = "x86_64-manylinux_2_31"


def install_locked(requirements: Path, target: Path, python_version: str) -> None:
    """Install just what the file lists, each file checked against its hash.

    CalledProcessError where uv fails, which has then said why.
    """
    version = ["--python-version", python_version, "--python-platform", PLATFORM]
    where = ["--python", sys.executable, "--target", str(target)]
    _uv("pip", "install", *where, *version, "--no-deps", "--require-hashes", "-r", str(requirements))


def lock(source: Path, *options: str) -> None:
    """Write the .txt beside an .in file: exact versions with hashes, without addresses."""
    form = ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"]
    version = ["--python-version", "3.11", "--python-platform", PLATFORM]
    _uv("pip", "compile", str(source), *options, *form, *version, "-o", str(source.with_suffix(".txt")))


def _uv(*words: str) -> None:
    progress = [] if sys.stderr.isatty() else ["--quiet"]
    subprocess.run([find_uv(), *words, *progress], check=True, stdout=sys.stderr)


def find_uv() -> str:
    """uv beside this Python, else on PATH; FileNotFoundError with what to do."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("uv", path=places)
    if found is None:
        raise FileNotFoundError("uv is missing: run `make setup`, which installs it, and use its Python")
    return found
