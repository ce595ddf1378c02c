"""The parts of a start, told from vLLM's own log lines, which both ways print."""

from __future__ import annotations

import re
from collections.abc import Iterable

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


def parts(lines: Iterable[tuple[float, str]], start: float, ready: float) -> dict[str, float]:
    """Seconds of each part whose end was logged. ``lines`` are times, on the same clock, and texts."""
    found: dict[str, float] = {}
    before, rest = start, list(ENDS)
    for moment, text in lines:
        if rest and rest[0][1].search(text):
            found[rest.pop(0)[0]] = round(moment - before, 3)
            before = moment
    return found | {LAST: round(ready - before, 3)}
