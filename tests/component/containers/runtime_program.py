"""A program that is called as podman and docker are, and runs real processes as they run containers: apart
from its own, with the variables that it is told to pass on and no others, until they end or are removed.

``FAKE_CONTAINERS`` names the folder of its books, ``FAKE_ENTRYPOINT`` the image's entrypoint, a Python file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

BOOKS = Path(os.environ["FAKE_CONTAINERS"])
FLAGS_WITHOUT_VALUE = {"--rm", "--read-only"}


def main(words: list[str]) -> int:
    command, rest = words[0], words[1:]
    return {"info": info, "run": run, "ps": ps, "inspect": inspect, "rm": rm}[command](rest)


def info(_words: list[str]) -> int:
    if said := os.environ.get("FAKE_BROKEN"):
        print(said, file=sys.stderr)
        return 1
    host = {"cgroupVersion": "v2", "cgroupControllers": ["memory"], "security": {"rootless": True}}
    print(json.dumps({"host": host}))
    return 0


def run(words: list[str]) -> int:
    flags, labels, variables = split(words)
    arguments = words[len(flags) + 1 :]  # after the image
    environment = {name: os.environ[name] for name in variables if name in os.environ}
    environment |= dict(each.split("=", 1) for each in variables if "=" in each)
    process = subprocess.Popen(
        [sys.executable, os.environ["FAKE_ENTRYPOINT"], *arguments], env=environment, start_new_session=True
    )
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    book = BOOKS / f"{process.pid:064x}"
    draft = book.with_suffix(".draft")
    draft.write_text(json.dumps({"labels": labels, "pid": process.pid}))
    draft.rename(book)
    while (code := process.poll()) is None:  # a signal that comes just before a wait would not end that
        time.sleep(0.02)
    book.unlink(missing_ok=True)  # --rm
    return code if code >= 0 else 128 - code


def split(words: list[str]) -> tuple[list[str], dict[str, str], list[str]]:
    """The flags, and of them the labels and the variables."""
    flags: list[str] = []
    labels, variables = {}, []
    while words[len(flags)].startswith("--"):
        flag = words[len(flags)]
        flags.append(flag)
        if flag in FLAGS_WITHOUT_VALUE:
            continue
        value = words[len(flags)]
        flags.append(value)
        if flag == "--label":
            name, _, text = value.partition("=")
            labels[name] = text
        if flag == "--env":
            variables.append(value)
    return flags, labels, variables


def ps(words: list[str]) -> int:
    wanted = [word.removeprefix("label=").split("=", 1) for word in words if word.startswith("label=")]
    for name, book in books(sorted(each.name for each in BOOKS.glob("?" * 64))).items():
        if all(book["labels"].get(label) == value for label, value in wanted):
            print(name)
    return 0


def inspect(words: list[str]) -> int:
    """As they do: what is there is told, and what is not makes the exit code."""
    asked = [word for word in words if len(word) == 64]
    found = books(asked)
    print(json.dumps([document(name, book) for name, book in found.items()]))
    return 0 if list(found) == asked else 1


def books(names: list[str]) -> dict[str, dict[str, Any]]:
    """Of the containers that are still there."""
    found = {}
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = json.loads((BOOKS / name).read_text())
    return found


def document(name: str, book: dict[str, Any]) -> dict[str, Any]:
    return {"Id": name, "State": {"Running": True, "Pid": book["pid"]}, "Config": {"Labels": book["labels"]}}


def rm(words: list[str]) -> int:
    """As some versions do: what has gone meanwhile makes the exit code."""
    code = 0
    for name in (word for word in words if len(word) == 64):
        try:
            os.kill(int(name, 16), signal.SIGKILL)
            (BOOKS / name).unlink()
        except (FileNotFoundError, ProcessLookupError):
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
