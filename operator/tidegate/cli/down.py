"""``tidegate down``: ends what ``tidegate up`` runs, or what a killed one has left."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from tidegate.cli.here import add_state, client, folder
from tidegate.local.asking.client import NobodyError
from tidegate.local.state.state_folder import held, holder
from tidegate.local.state.state_identity import is_ours

_EPILOG = (
    "Exit codes: 0 nothing runs any more, also where nothing did; 1 something still does, with a sentence on "
    "stderr; 2 wrong usage."
)
_LAST_SECONDS: Final = 10.0  # from the last line of the other side to its end
_AGAIN_SECONDS: Final = 0.05


def add_down(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.epilog = _EPILOG
    text = "end at once what still runs; requests that run get an error"
    parser.add_argument("--now", action="store_true", help=text)
    add_state(parser)
    parser.set_defaults(command=_down)


def _down(options: argparse.Namespace) -> int:
    where = folder(options)
    try:
        for line in client(options).down(at_once=options.now):
            print(line, file=sys.stderr)
    except NobodyError:
        if is_ours(where):  # another folder is not made one
            return asyncio.run(_end_what_is_left(where, at_once=options.now))
        print(f"tidegate: nothing runs with the state folder {where}", file=sys.stderr)
        return 0
    _wait_for_end(where)
    print("tidegate: down", file=sys.stderr)
    return 0


def _wait_for_end(where: Path) -> None:
    """Until the folder is free: whoever runs ``down`` may begin anew right after it."""
    deadline = time.monotonic() + _LAST_SECONDS
    while (pid := holder(where)) is not None:
        if time.monotonic() >= deadline:
            raise ValueError(f"the tidegate up of process {pid} has said that it ends, and has not ended")
        time.sleep(_AGAIN_SECONDS)


async def _end_what_is_left(where: Path, *, at_once: bool) -> int:
    from tidegate.local.machine.node import Node  # noqa: PLC0415  it is the exception
    from tidegate.local.machine.node_settings import NodeSettings  # noqa: PLC0415

    with held(where):
        node = Node(NodeSettings(state=where, changed=lambda _: None))
        await node.open()
        keys = node.keys()
        pods = [pod["metadata"]["name"] for key in keys for pod in node.of(key)]
        if pods:
            print(f"ending {', '.join(pods)}, which a tidegate up has left", file=sys.stderr)
        await node.end_all(at_once=at_once)
        node.close()
    print(
        "tidegate: down" if pods else f"tidegate: nothing runs with the state folder {where}", file=sys.stderr
    )
    return 0
