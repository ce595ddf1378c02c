"""kubectl and helm as the tests call them: real commands, each with a budget."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
Object = dict[str, Any]


class CommandError(Exception):
    """A command that ended with another code than 0; the message is what it printed."""


class Kubectl:
    """Commands against one cluster."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)

    def command(self, *arguments: str, stdin: str | None = None, timeout: float = 180) -> str:
        """What a command prints; CommandError with its output where it fails."""
        done = subprocess.run(
            arguments,
            env=self.environment,
            cwd=ROOT,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"{' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done.stdout

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 180) -> str:
        """What ``kubectl`` with these arguments prints."""
        return self.command("kubectl", *arguments, stdin=stdin, timeout=timeout)

    def get(self, *arguments: str) -> Any:
        """The JSON of ``kubectl get`` with these arguments."""
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def apply(self, *manifests: Mapping[str, Any]) -> str:
        """Applies the manifests in one call."""
        return self.run("apply", "-f", "-", stdin=yaml.safe_dump_all([dict(each) for each in manifests]))


def eventually(check: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Returns as soon as ``check`` holds; AssertionError naming ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.2)
