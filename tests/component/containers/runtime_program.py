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
from pathlib import Path

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
    book = BOOKS / f"{process.pid:064x}"
    draft = book.with_suffix(".draft")
    draft.write_text(json.dumps({"labels": labels, "pid": process.pid}))
    draft.rename(book)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
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
    for book in BOOKS.glob("?" * 64):
        labels = json.loads(book.read_text())["labels"]
        if all(labels.get(name) == value for name, value in wanted):
            print(book.name)
    return 0


def inspect(words: list[str]) -> int:
    """As they do: what is there is told, and what is not makes the exit code."""
    asked = [word for word in words if len(word) == 64]
    found = [name for name in asked if (BOOKS / name).exists()]
    print(json.dumps([document(name, json.loads((BOOKS / name).read_text())) for name in found]))
    return 0 if found == asked else 1


def document(name: str, book: dict[str, object]) -> dict[str, object]:
    return {"Id": name, "State": {"Running": True, "Pid": book["pid"]}, "Config": {"Labels": book["labels"]}}


def rm(words: list[str]) -> int:
    for name in (word for word in words if len(word) == 64):
        os.kill(json.loads((BOOKS / name).read_text())["pid"], signal.SIGKILL)
        (BOOKS / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
