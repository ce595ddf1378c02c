"""What becomes of a worker whose supervisor has gone."""

from __future__ import annotations

import os
from dataclasses import replace

from tests.unit.local.templates import new, placed, running
from tidegate.local.machine.adopting import Survey, judge
from tidegate.local.processes.table import Seen, look_at
from tidegate.local.worker.pod_state import End, PodState, Process

BOOT = "boot"


def myself() -> Seen:
    seen = look_at(os.getpid())
    assert seen is not None
    return seen


def survey(**marked: list[Seen]) -> Survey:
    return Survey(BOOT, 2000.0, dict(marked))


def alive() -> PodState:
    """A worker whose process is this one, which certainly runs."""
    seen = myself()
    return placed().begun(Process(seen.pid, seen.ticks, BOOT, 1001.0))


def test_one_that_runs_goes_on_as_it_was() -> None:
    state = alive().answers(True, 1002.0)
    assert judge(state, survey()) == state


def test_one_that_was_ending_goes_on_ending() -> None:
    state = alive().deleted(1500.0)
    assert judge(state, survey()) == state


def test_a_process_that_began_at_another_time_is_another() -> None:
    state = alive()
    assert state.process is not None
    other = replace(state, process=replace(state.process, ticks=state.process.ticks + 1))
    judged = judge(other, survey())
    assert judged is not None
    assert judged.failed
    assert judged.last_end == End(1001.0, 2000.0, None, "Error", "")


def test_nothing_survives_a_start_of_the_machine() -> None:
    assert judge(replace(alive(), boot="another"), survey()) is None


def test_one_without_a_number_is_adopted_by_its_mark() -> None:
    leader = replace(myself(), session=os.getpid(), parent=1)
    judged = judge(placed(uid="u"), survey(u=[leader]))
    assert judged is not None
    assert judged.process is not None
    assert judged.process.pid == os.getpid()
    assert 0 < judged.process.since <= 2000.0
    assert judged.restarts == 0


def test_the_first_process_is_told_from_its_children_that_lead_sessions_too() -> None:
    first = replace(myself(), session=os.getpid(), parent=1)
    child = replace(first, pid=os.getpid() - 1, session=os.getpid() - 1, parent=os.getpid())
    judged = judge(placed(uid="u"), survey(u=[child, first]))
    assert judged is not None
    assert judged.process is not None
    assert judged.process.pid == os.getpid()


def test_one_of_whom_only_children_are_left_is_not_adopted() -> None:
    child = replace(myself(), session=1)
    assert judge(placed(uid="u"), survey(u=[child])) is None


def test_one_that_had_no_process_is_nobodys() -> None:
    assert judge(new(), survey()) is None
    assert judge(running().ended(End(1001.0, 1002.0, 1, "Error", "")).deleted(1003.0), survey()) is None


def test_one_that_paused_before_its_next_start_is_told_with_its_cause() -> None:
    state = running().ended(End(1001.0, 1002.0, 1, "Error", "BadLuck: it rains"))
    assert judge(state, survey()) == state.given_up()


def test_one_that_had_failed_is_forgotten() -> None:
    assert judge(running().ended(End(1.0, 2.0, 1, "Error", "")).given_up(), survey()) is None
