"""A stand-in for podman: its containers are processes outside the client's session, without its environment.

They are told of in $FAKE_PODMAN, one file each, as JSON. Limits are only written down.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["FAKE_PODMAN"])
# The container's first process begins when the client says so: nobody finds a container that is not told of.
BEGIN = ("/bin/sh", "-c", 'read _; exec "$@"', "sh")
INFO = {
    "host": {
        "cgroupVersion": "v2",
        "cgroupControllers": ["cpuset", "memory"],
        "security": {"rootless": True},
    }
}


def labels(words: list[str]) -> dict[str, str]:
    """Those that follow ``--label``."""
    pairs = (word for before, word in pairwise(words) if before == "--label")
    return dict(pair.split("=", 1) for pair in pairs)


def run(words: list[str]) -> int:
    """The container's command follows its image, which is called ``image``."""
    command = words[words.index("image") + 1 :]
    process = subprocess.Popen(
        [*BEGIN, *command],
        start_new_session=True,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
    )
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    file = FOLDER / f"{uuid.uuid4().hex}.json"
    write(file, {"pid": process.pid, "labels": labels(words), "words": words})
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.close()
    while (code := process.poll()) is None:  # a signal that comes just before a wait would not end that
        time.sleep(0.02)
    file.unlink(missing_ok=True)
    return code if code >= 0 else 128 - code


def write(file: Path, told: dict[str, Any]) -> None:
    """In one step, so that nobody reads half of it."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(told))
    beside.replace(file)


def containers(words: list[str]) -> dict[str, Any]:
    """Those that have each ``--filter label=NAME=VALUE``."""
    filters = [word.removeprefix("label=").split("=", 1) for word in words if word.startswith("label=")]
    found = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}
    return {
        name: each
        for name, each in found.items()
        if all(each["labels"].get(label) == value for label, value in filters)
    }


def remove(names: list[str]) -> None:
    """Ends them with SIGKILL, and returns when they have ended."""
    for name in names:
        file = FOLDER / f"{name}.json"
        if file.exists():
            try:
                process = os.pidfd_open(json.loads(file.read_text())["pid"])
            except ProcessLookupError:
                continue
            finally:
                file.unlink()
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [])


def update(cores: str, names: list[str]) -> None:
    """Other cores, which are only written down; it fails while there is a file ``no-update``."""
    if (FOLDER / "no-update").exists():
        sys.exit(125)
    for name in names:
        file = FOLDER / f"{name}.json"
        told = json.loads(file.read_text())
        words = told["words"]
        words[words.index("--cpuset-cpus") + 1] = cores
        write(file, told)


def inspected(names: list[str]) -> list[dict[str, Any]]:
    """As podman tells them."""
    all_of_them = containers([])
    return [
        {
            "Id": name,
            "State": {"Running": True, "Pid": each["pid"]},
            "Config": {"Labels": each["labels"]},
        }
        for name, each in all_of_them.items()
        if name in names
    ]


def main(words: list[str]) -> int:
    """One call."""
    if words[0] == "run":
        return run(words[1:])
    if words[0] == "info":
        print(json.dumps(INFO))
    elif words[0] == "ps":
        print("\n".join(containers(words)))
    elif words[0] == "rm":
        remove([word for word in words[1:] if not word.startswith("-")])
    elif words[0] == "update":
        update(words[2], words[3:])
    elif words[0] == "inspect":
        print(json.dumps(inspected(words)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
