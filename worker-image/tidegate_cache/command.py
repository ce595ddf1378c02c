"""The command line of the step that fills the cache."""

from __future__ import annotations

import argparse
import os
import signal
import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tidegate_worker.failure import Failure, redact
from tidegate_worker.report import leave_message, say

from .bucket import Bucket
from .causes import BAD_ARGUMENT, FAILED, UNREACHABLE, FillError, named, named_of_pod
from .fill import Order, fill
from .hub import Hub
from .remote import CutOffError, Source
from .volume import Volume
from .web import Patience, Web

TERMINATION_MESSAGE = "/dev/termination-log"
ENDED_BY_SIGTERM = 128 + signal.SIGTERM
SHARED = 0o002  # who has the volume's group may write, too


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Fill; the exit code."""
    options = _parser().parse_args(words)
    message = Path(environment.get("TIDEGATE_TERMINATION_MESSAGE") or TERMINATION_MESSAGE)
    # As a container's first process it would ignore the signal. Nothing is to be tidied up: the kernel gives
    # the lock back, and what was fetched is continued by the next.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(ENDED_BY_SIGTERM))
    os.umask(SHARED)
    try:
        with _all_named(options.place or options.cache):
            folder = _filled(options, environment)
            _link(Path(options.link), folder)
    except FillError as error:
        failure = error.failure
        leave_message(Failure(failure.reason, redact(failure.message, environment)), message)
        return 1
    say("cached", model=str(folder))
    return 0


@contextmanager
def _all_named(place: str) -> Iterator[None]:
    """The last net: within it every error is a FillError, in words and without a traceback."""
    try:
        with named(place):
            yield
    except FillError:
        raise
    except CutOffError as error:
        raise FillError(UNREACHABLE, f"the model's source cannot be read: {error}") from error
    except Exception as error:  # its text may be anything, a secret too
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        kind = f"{type(error).__name__}, {where}"
        sentence = f"the container cache, which fills {place}, met an error of its own ({kind})"
        raise FillError(FAILED, f"{sentence}; check model.uri and the addresses in engine.env") from error


def _filled(options: argparse.Namespace, environment: Mapping[str, str]) -> Path:
    patience = Patience(options.tries, options.silence_seconds, options.pause_seconds)
    name = Path(options.link).name + ("+all" if options.every_format else "")
    order = Order(
        name, options.size_limit, patience, options.keep_free, lambda text: redact(text, environment)
    )
    source = _source(options, environment, Web(patience))
    return fill(Volume(Path(options.cache), options.place or options.cache), source, order)


def _source(options: argparse.Namespace, environment: Mapping[str, str], web: Web) -> Source:
    scheme, _, rest = str(options.model).partition("://")
    if scheme == "hf":
        return Hub(web, rest, options.revision, environment, every_format=options.every_format)
    if scheme == "s3":
        return Bucket(web, rest, environment, every_format=options.every_format)
    raise FillError(BAD_ARGUMENT, f"{options.model} is neither an hf:// nor an s3:// model")


def _link(link: Path, folder: Path) -> None:
    """The engine's path is known before the version of the model is."""
    with named_of_pod(str(link.parent)):
        link.parent.mkdir(parents=True, exist_ok=True)
        draft = link.with_name(f".{uuid.uuid4().hex}")
        draft.symlink_to(folder)
        draft.rename(link)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fill_cache.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", required=True, metavar="URI", help="hf://OWNER/NAME or s3://BUCKET/PREFIX")
    parser.add_argument("--revision", default="", help="branch, tag or commit of an hf:// model")
    parser.add_argument("--cache", required=True, metavar="FOLDER", help="where the volume is mounted")
    parser.add_argument("--link", required=True, metavar="PATH", help="shall lead to the model's folder")
    parser.add_argument("--place", default="", help="what the volume is called in messages")
    parser.add_argument("--size-limit", type=int, metavar="BYTES", help="of all models together (no limit)")
    parser.add_argument(
        "--keep-free", type=int, default=0, metavar="PERCENT", help="of the volume's file system (0)"
    )
    parser.add_argument("--every-format", action="store_true", help="the weights of all formats")
    parser.add_argument("--tries", type=int, default=6, help="in a row that bring nothing (6)")
    parser.add_argument("--silence-seconds", type=float, default=60.0, help="to wait for a byte (60)")
    parser.add_argument("--pause-seconds", type=float, default=1.0, help="before the second try (1)")
    return parser
