"""The parts of a start: told from vLLM's own log lines, which both ways print, and by the worker itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

# Each part ends with the first line of its kind.
ENDS = (
    ("imports_seconds", re.compile(r"non-default args:")),  # interpreter, imports, command line
    ("config_seconds", re.compile(r"Initializing a V1 LLM engine")),  # configuration, the engine's process
    ("worker_seconds", re.compile(r"Starting to load model")),  # the computing process, or its imports
    ("weights_seconds", re.compile(r"Loading weights took")),
    ("warmup_seconds", re.compile(r"init engine \(profile")),  # profile, cache, warm-up
    ("server_seconds", re.compile(r"Starting vLLM server on")),  # tokenizer, routes, templates
)
LAST = "listen_seconds"  # from there to the first answer with 200
# The worker's last line of its start, {"worker": "serving", …}: what took which seconds by its own clock.
OWN = tuple(f"own_{part}_seconds" for part in ("interpreter", "imports", "config", "engine", "serving"))
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")


def parts(lines: Iterable[tuple[float, str]], start: float, ready: float) -> dict[str, float]:
    """Seconds of each part whose end was logged. ``lines`` are times, on the same clock, and texts."""
    found: dict[str, float] = {}
    before, rest = start, list(ENDS)
    for moment, text in lines:
        if rest and rest[0][1].search(text):
            found[rest.pop(0)[0]] = round(moment - before, 3)
            before = moment
    return found | {LAST: round(ready - before, 3)}


def own_parts(lines: Iterable[str]) -> dict[str, float]:
    """Seconds of each part as the worker tells them when it serves; nothing of stock vLLM, which does not."""
    for line in lines:
        if line.startswith('{"worker": "serving"'):
            return {f"own_{part}_seconds": float(took) for part, took in json.loads(line)["seconds"].items()}
    return {}


def stamped(log: str, zero: float) -> Iterator[tuple[float, str]]:
    """The lines of ``kubectl logs --timestamps`` with the moments when the node took them, in seconds since
    ``zero``, itself in seconds since 1970. A progress bar's carriage returns leave pieces without a stamp,
    which are left out."""
    for line in log.splitlines():
        stamp, _, text = line.partition(" ")
        if STAMP.match(stamp):
            moment = datetime.fromisoformat(f"{stamp[:26].rstrip('Z')}+00:00")  # to the microsecond
            yield moment.timestamp() - zero, text
