"""Runs what a user would type, shows it with what it prints, and stops the demo when it fails."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class DemoError(Exception):
    """A step that did not end as it says; the message tells what was expected and what came."""


class Shell:
    """A terminal with a clock: every line it prints carries the seconds since the demo began."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._start = time.monotonic()
        self._step = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._start

    def step(self, title: str) -> None:
        """Prints the heading of the next step."""
        self._step += 1
        print(f"\n\033[1m━━ {self._step}. {title}  [{self.elapsed:.0f} s]\033[0m", flush=True)

    def say(self, text: str) -> None:
        """Prints a line of the demo's own, apart from the commands' output."""
        print(f"   {text}", flush=True)

    def export(self, name: str, value: str) -> None:
        """Sets a variable for the commands that follow."""
        self._environment[name] = value

    def run(self, command: str, *, timeout: float, show: bool = True, stdin: str | None = None) -> str:
        """The output of a shell command; DemoError when it fails or takes longer than ``timeout`` seconds."""
        if show:
            print(f"\033[36m$ {command}\033[0m", flush=True)
        try:
            done = subprocess.run(  # noqa: S602  the demo's own lines, typed as a user would
                command,
                shell=True,
                executable="/bin/bash",
                env=self._environment,
                text=True,
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"`{command}` did not end within {timeout:.0f} s") from error
        if show:
            sys.stdout.write(
                done.stdout if done.stdout.endswith("\n") or not done.stdout else done.stdout + "\n"
            )
            sys.stdout.flush()
        if done.returncode:
            raise DemoError(f"`{command}` ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def stream(self, command: str) -> None:
        """Runs a long command with its output passed on as it comes; DemoError when it fails."""
        print(f"\033[36m$ {command}\033[0m", flush=True)
        done = subprocess.run(["/bin/bash", "-c", command], env=self._environment, check=False)
        if done.returncode:
            raise DemoError(f"`{command}` ended with {done.returncode}")

    @contextmanager
    def background(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs beside the steps of the block and is ended with it."""
        print(f"\033[36m$ {command} &\033[0m", flush=True)
        process = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {command}"],
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def expect(condition: bool, sentence: str) -> None:
    """Nothing when the condition holds; DemoError with the sentence otherwise."""
    if not condition:
        raise DemoError(f"expected: {sentence}")
