"""``tidegate logs``: what a worker that runs here has written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tidegate.cli.following import Following, newest_worker, whole
from tidegate.cli.here import EXIT_CODES, add_namespace, add_state, client, folder, one_of
from tidegate.local.asking.client import ControlClient
from tidegate.local.asking.log_file import kept_logs
from tidegate.local.asking.wire import Told
from tidegate.local.worker.worker_files import previous_log


def add_logs(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.epilog = EXIT_CODES
    parser.add_argument("name", metavar="NAME", help="the InferenceService")
    add_namespace(parser)
    parser.add_argument("--worker", metavar="WORKER", help="by its name in tidegate describe (the newest)")
    text = "go on with what comes, through restarts of the worker and with the service's next worker"
    parser.add_argument("-f", "--follow", action="store_true", help=text)
    text = "of the worker's process before its last restart"
    parser.add_argument("-p", "--previous", action="store_true", help=text)
    parser.add_argument("--tail", type=_lines, metavar="LINES", help="the last lines alone (all)")
    add_state(parser)
    parser.set_defaults(command=_logs)


def _lines(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
    return int(text)


def _logs(options: argparse.Namespace) -> int:
    if options.follow and options.previous:
        raise ValueError("--previous is over: there is nothing to --follow")
    asked = client(options)
    told = one_of(asked.services().services, options.name, options.namespace)
    worker, path = _chosen(told, options.worker, folder(options))
    if options.previous:
        worker, path = f"{worker} before its last restart", _previous(worker, path)
    if not path.is_file():
        raise ValueError(f"{worker} has written nothing: there is no {path}")
    for piece in _pieces(options, asked, told, worker, path):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0


def _pieces(
    options: argparse.Namespace, asked: ControlClient, told: Told, worker: str, path: Path
) -> Iterator[bytes]:
    if not options.follow:
        return whole(path, options.tail)
    following = Following(asked, told, worker, path, pinned=options.worker is not None)
    return following.pieces(options.tail)


def _chosen(told: Told, wanted: str | None, state: Path) -> tuple[str, Path]:
    """A worker's name and its file: the one that is wanted, else the newest; also one that has gone."""
    kept = kept_logs(state, told)
    if wanted is not None:
        if path := told.logs.get(wanted) or kept.get(wanted):
            return wanted, path
        names = ", ".join({**kept, **told.logs}) or "none"
        raise ValueError(f"{told.name} has no worker {wanted} with a log here; there is {names}")
    if newest := newest_worker(told):
        return newest, told.logs[newest]
    if not kept:
        raise ValueError(f"{told.name} has had no worker yet; the next request starts one")
    *_, (name, path) = kept.items()
    print(f"tidegate: {told.name} has no worker now; {name} was its last", file=sys.stderr)
    return name, path


def _previous(worker: str, path: Path) -> Path:
    previous = previous_log(path)
    if not previous.is_file():
        raise ValueError(f"{worker} has not been restarted: there is no earlier log of it")
    return previous
