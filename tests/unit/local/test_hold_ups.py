"""What those who wait in vain for a worker of this machine are told, and when they should come again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local.machine import Machine
from tests.unit.local.services import KEY, document
from tests.unit.local.templates import running
from tests.unit.virtual_time import run
from tidegate.domain.pod_starts import next_start
from tidegate.local.supervision.hold_ups import all_put_off_until, hold_up
from tidegate.local.worker.pod_document import pod_document
from tidegate.local.worker.pod_state import End, PodState


def status(**conditions: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": kind, "status": said[0], "reason": said[1], "message": said[2]}
            for kind, said in conditions.items()
        ]
    }


def test_a_cause_is_its_word_and_its_clause() -> None:
    told = status(Ready=("False", "EngineFailed", "the engine ended with exit code 2"))
    assert hold_up(told) == "EngineFailed: the engine ended with exit code 2"


@pytest.mark.parametrize(
    ("reason", "ours", "of_the_engine"),
    [
        ("EngineFailed", "the engine ended with exit code 2", ": my secret"),
        ("EngineKilled", "the engine was ended by signal 9 (SIGKILL)", ": my secret"),
        ("StartupDeadlineExceeded", "not ready within 1.5 s (startupDeadlineSeconds)", "; my secret"),
        ("EngineFailed", "", "my secret"),
        ("ModelNotFound", "", "/models/none is not a folder"),
    ],
)
def test_an_engines_own_words_are_not_for_clients(reason: str, ours: str, of_the_engine: str) -> None:
    said = hold_up(status(Ready=("False", reason, f"{ours}{of_the_engine}")))
    assert said == (f"{reason}: {ours}" if ours else reason)


def test_a_start_of_which_nothing_is_wrong_is_how_far_it_has_come() -> None:
    loads = ("False", "Loading", "the engine runs and has not loaded the model yet")
    told = status(Ready=("False", "Starting", "a worker starts"), ModelLoaded=loads)
    assert hold_up(told) == "Loading: the engine runs and has not loaded the model yet"


def test_where_nobody_waits_nothing_holds_up() -> None:
    assert hold_up({}) == ""
    assert hold_up(status(Ready=("True", "Ready", "1 of 1 workers ready"))) == ""
    assert hold_up(status(Ready=("True", "EngineFailed", "1 of 2 workers ready"))) == ""
    assert hold_up(status(Ready=("False", "Suspended", "suspend is true"))) == ""


def test_a_long_clause_is_cut() -> None:
    said = hold_up(status(Ready=("False", "Unschedulable", "x" * 1000)))
    assert len(said) == 300
    assert said.endswith("x…")


def ended_twice() -> PodState:
    end = End(1001.0, 1005.0, 1, "Error", "")
    once = running().ended(end)
    assert running().process is not None
    return once.begun(running().process).ended(end)  # type: ignore[arg-type]


def test_a_worker_that_pauses_after_an_end_tells_when_it_begins_anew() -> None:
    assert next_start([pod_document(ended_twice(), "laptop")]) == 1015.0  # 10 s after the second end


def test_a_worker_that_never_begins_anew_tells_no_time() -> None:
    for each in (ended_twice().given_up(), ended_twice().deleted(1006.0)):
        assert next_start([pod_document(each, "laptop")]) is None


def test_clients_are_told_the_next_try_only_where_nothing_is_on_its_way() -> None:
    put_off, runs, gone = (
        pod_document(each, "laptop") for each in (ended_twice(), running(), ended_twice().given_up())
    )
    assert all_put_off_until([]) == 0.0
    assert all_put_off_until([put_off, gone]) == 1015.0
    assert all_put_off_until([put_off, runs]) == 0.0


def test_a_worker_that_begins_anew_at_once_or_runs_tells_no_time() -> None:
    once = running().ended(End(1001.0, 1005.0, 1, "Error", ""))
    again = ended_twice().begun(running().process)  # type: ignore[arg-type]
    assert next_start([pod_document(each, "laptop") for each in (running(), once, again)]) is None


def test_the_gateway_is_told_why_a_worker_waits(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(resources={"cpu": 9, "memory": "1Gi"})) as machine:
            await machine.supervisor.wake(KEY)
            await asyncio.sleep(1)
            view = machine.gateway.services[KEY].view
            assert (
                view.hold_up
                == "Unschedulable: every core was given to a worker alone: let another service sleep"
            )

    run(life())
