"""What a `tidegate up` prints of its services as their documents change."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tidegate.cli import console as consoles
from tidegate.cli.console import Console
from tidegate.cli.local_teller import LocalTeller

Json = dict[str, Any]
BROKEN = "EngineFailed: the engine ended with exit code 1"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said is written by another thread, which a machine that stands still keeps waiting."""
    monkeypatch.setattr(consoles, "_LAST_SECONDS", 60.0)


def service(phase: str, ready: str, name: str = "tiny") -> Json:
    """A service in a phase; ``ready``: ``Reason: message`` of its condition Ready."""
    reason, _, message = ready.partition(": ")
    condition = {"type": "Ready", "status": "False", "reason": reason, "message": message}
    metadata = {"namespace": "default", "name": name}
    spec = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 2, "memory": "2Gi"}}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "conditions": [condition]}}


def printed(*documents: Json) -> list[str]:
    """The lines of one document after the other, without the time of day."""
    stream = io.StringIO()
    with Console(stream) as console:
        teller = LocalTeller(console, httpx.AsyncClient(), lambda _: ())
        for before, after in pairwise(documents):
            teller.told(before, after)
    return [line[10:] for line in stream.getvalue().splitlines()]


def test_a_service_is_told_of_when_it_has_a_phase_and_when_it_is_gone() -> None:
    unread = {"metadata": {"namespace": "default", "name": "tiny"}}
    assert printed({}, unread, service("Idle", "Idle"), {}) == [
        "tiny      Idle       hf://a/b, 2 cores, 2Gi; the next request wakes it",
        "tiny      gone",
    ]


def test_lines_are_aligned_from_the_first_on_since_all_names_are_read_before() -> None:
    stream = io.StringIO()
    long = "a-name-that-is-long"
    with Console(stream) as console:
        teller = LocalTeller(console, httpx.AsyncClient(), lambda _: ())
        for name in ("tiny", long):
            teller.told({}, {"metadata": {"namespace": "default", "name": name}})
        for name in ("tiny", long):
            unread = {"metadata": {"namespace": "default", "name": name}}
            teller.told(unread, service("Idle", "Idle", name))
    assert len({line.index("Idle") for line in stream.getvalue().splitlines()}) == 1


def test_a_cause_is_told_once_for_each_time_that_it_ends_a_start() -> None:
    starts, fails, failed = (
        service("Starting", "Starting: a worker starts"),
        service("Starting", BROKEN),
        service("Failed", BROKEN),
    )
    assert printed(service("Idle", "Idle"), starts, fails, failed, starts, failed) == [
        "tiny      Starting",
        f"tiny                 {BROKEN}",
        "tiny      Failed",
        "tiny      Starting   once more",
        f"tiny      Failed     {BROKEN}",
    ]
