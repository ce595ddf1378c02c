"""A user without any right: no control group, and all the same workers with cores of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tidegate.local.processes.table import look_at

NOBODY = 65534
ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio, ctypes, json, os, sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from tests.component.local.node_harness import machine, shell, until
from tests.unit.local.templates import KEY
from tidegate.local.machine.node import Node
from tidegate.local.machine.node_settings import NodeSettings

async def main():
    # Its interpreter may be somewhere that this user cannot read: from here on nothing is imported.
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: as after an exec, its /proc/self is its own
    node = Node(NodeSettings(state=Path(sys.argv[1]), changed=lambda _: None, machine=machine()))
    await node.open()
    running = asyncio.create_task(node.run())
    node.keys() or node.create(shell("exec sleep 600", exclusive=True))
    await until(lambda: "tidegate.io/pid" in node.of(KEY)[0]["metadata"]["annotations"])
    pod = node.of(KEY)[0]
    pid = int(pod["metadata"]["annotations"]["tidegate.io/pid"])
    await until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\\n")
    print(json.dumps({"pod": pod, "cores": sorted(os.sched_getaffinity(pid)), "pid": pid}), flush=True)
    if len(sys.argv) > 2:
        os._exit(0)
    await node.end_all()
    running.cancel()

asyncio.run(main())
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder that another user can reach, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # TMPDIR may be a folder of this user alone
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def runs(pid: int) -> bool:
    """An adopted process that has ended stays until the first process of the machine has waited for it."""
    seen = look_at(pid)
    return seen is not None and not seen.ended


def run(state: Path, *words: str) -> Any:
    command = [sys.executable, "-c", PROGRAM, str(state), *words]
    alone = {**os.environ, "XDG_RUNTIME_DIR": str(state)}
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=120, env=alone)
    return json.loads(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_without_rights_a_worker_has_cores_by_affinity_and_no_limit_of_memory(state: Path) -> None:
    found = run(state)
    annotations = found["pod"]["metadata"]["annotations"]
    assert annotations["tidegate.io/cores-by"] == "affinity"
    assert "tidegate.io/memory-by" not in annotations
    assert found["pod"]["status"]["qosClass"] == "Burstable"
    assert found["cores"] == [int(annotations["tidegate.io/cores"])]
    assert not runs(found["pid"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_without_rights_what_a_predecessor_left_is_adopted(state: Path) -> None:
    left = run(state, "leave")
    try:
        assert run(state)["pid"] == left["pid"]
        assert not runs(left["pid"])
    finally:
        with suppress(ProcessLookupError):
            os.kill(left["pid"], signal.SIGKILL)
