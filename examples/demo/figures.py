"""What the demo reads off the cluster and the answers, and the table of times at its end."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PARTS = ("api", "scheduling", "image_and_container", "engine_and_load", "first_byte")
HEADS = ("API", "scheduling", "container", "engine", "first byte")


@dataclass(frozen=True)
class Wake:
    """One wake: seconds of each part of the cold start."""

    service: str
    parts: Mapping[str, float]
    total: float  # the client's own time, request to last byte

    @classmethod
    def read(cls, status: str, service: str, total: float) -> Wake:
        """The last cold start of a service from the gateway's /status; ValueError when it has none."""
        entries = {entry["service"]: entry["lastColdStart"] for entry in json.loads(status)["services"]}
        start = entries.get(service)
        if start is None or set(start["parts"]) != set(PARTS):
            raise ValueError(f"/status has no complete cold start of {service}: {start}")
        return cls(service, start["parts"], total)


def table(wakes: Sequence[Wake]) -> str:
    """The wakes side by side: seconds of each part, and those from the request to the last byte."""
    head = f"{'service':<16}" + "".join(f"{head:>11}" for head in (*HEADS, "answered"))
    rows = [
        f"{wake.service:<16}"
        + "".join(f"{wake.parts[part]:>11.2f}" for part in PARTS)
        + f"{wake.total:>11.2f}"
        for wake in wakes
    ]
    return "\n".join([head, *rows])


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """The cosine of the angle between two vectors, -1 to 1."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def embeddings(answer: str) -> list[list[float]]:
    """The vectors of an embeddings answer, in the order of its inputs."""
    data: list[dict[str, Any]] = json.loads(answer)["data"]
    return [item["embedding"] for item in sorted(data, key=lambda item: item["index"])]


def streamed_text(answer: str) -> tuple[str, int]:
    """The text of a chat stream and the number of its chunks; ValueError when [DONE] is missing."""
    if "data: [DONE]" not in answer:
        raise ValueError(f"the stream did not end with [DONE]: {answer[-300:]}")
    events = [json.loads(line) for line in re.findall(r"^data: (\{.*\})\s*$", answer, re.MULTILINE)]
    deltas = [choice["delta"].get("content") or "" for event in events for choice in event.get("choices", [])]
    return "".join(deltas), len(deltas)


def cores(text: str) -> set[int]:
    """The CPUs of a kernel list such as ``0-1,3``."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
