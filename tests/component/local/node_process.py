"""A node as a process of its own, which tests kill: ``node_process.py FOLDER COMMAND…``.

It makes one worker of that command, says so for each state of it, and deletes it when a line comes in.
``TIDEGATE_TEST_GRACE``: the worker's grace in seconds. ``TIDEGATE_TEST_CGROUPS``: whether it may make groups.
``TIDEGATE_TEST_DIES``: whether it kills itself as soon as the deletion is written down.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from tests.component.local.node_harness import alone, machine, ports_of
from tests.unit.local.templates import KEY, template
from tidegate.domain.service import ServiceKey
from tidegate.local.machine.node import Node
from tidegate.local.machine.node_settings import NodeSettings


async def main(folder: Path, command: tuple[str, ...]) -> None:
    """Until it is killed."""
    node: Node

    def changed(key: ServiceKey) -> None:
        print(json.dumps([each["metadata"] for each in node.of(key)]), flush=True)

    groups = bool(os.environ.get("TIDEGATE_TEST_CGROUPS"))
    port, isolation = ports_of(folder)
    node = Node(
        NodeSettings(
            state=folder,
            changed=changed,
            machine=machine(),
            cgroups=groups,
            port=port,
            isolation_port=isolation,
            environment=alone(folder),
        )
    )
    await node.open()
    running = asyncio.create_task(node.run())
    await asyncio.sleep(0)
    if not node.keys():
        grace = float(os.environ.get("TIDEGATE_TEST_GRACE", "20"))
        node.create(template(command=command, exclusive=groups, grace_seconds=grace))
    print("created", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for pod in node.of(KEY):
        node.delete("default", pod["metadata"]["name"])
    await node.written()
    print("deleted", flush=True)
    if os.environ.get("TIDEGATE_TEST_DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
    await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), tuple(sys.argv[2:])))
