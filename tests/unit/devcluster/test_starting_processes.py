"""Processes: recorded, found again, and never confused with somebody else's."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.layout import MARK, State
from tidegate.devcluster.processes import (
    ProcessTable,
    boot_id,
    end,
    is_alive,
    marked,
    program_of,
    start_ticks,
)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ProcessTable]:
    state = State(tmp_path / "state")
    state.make()
    table = ProcessTable(state)
    yield table
    table.kill_everything()


def wait_for_text(file: Path, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in file.read_text():
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.01)


def test_a_started_process_is_alive_and_its_output_is_in_the_log(table: ProcessTable) -> None:
    table.start("talker", ["sh", "-c", "echo out; echo err >&2; sleep 600"])
    wait_for_text(table.state.logs / "talker.log", "out\nerr")
    assert table.alive("talker")
    assert not table.alive("somebody")


def test_a_process_leads_a_session_of_its_own(table: ProcessTable) -> None:
    record = table.start("sleeper", ["sleep", "600"])
    assert os.getsid(record.pid) == record.pid


def test_a_polite_process_is_asked_first(table: ProcessTable) -> None:
    table.start("polite", ["sh", "-c", "trap 'echo bye; exit' TERM; echo ready; sleep 600 & wait"])
    wait_for_text(table.state.logs / "polite.log", "ready")
    table.stop("polite", budget=60)
    assert "bye" in (table.state.logs / "polite.log").read_text()
    assert not table.alive("polite")


def test_a_deaf_process_is_killed_when_its_budget_is_over(table: ProcessTable) -> None:
    table.start("deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    wait_for_text(table.state.logs / "deaf.log", "ready")
    table.stop("deaf", budget=0.1)
    assert not table.alive("deaf")


def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(table: ProcessTable) -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        ticks = start_ticks(stranger.pid)
        assert ticks is not None
        old = {"name": "old", "pid": stranger.pid, "started": ticks - 1, "boot": boot_id()}
        (table.state.pids / "old.json").write_text(json.dumps(old))
        assert not table.alive("old")
        table.kill_everything()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_pid_that_changes_hands_just_before_the_signal_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        end({stranger.pid: (start_ticks(stranger.pid) or 0) - 1}, 0)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_of_an_earlier_boot_is_not_alive(table: ProcessTable) -> None:
    record = table.start("sleeper", ["sleep", "600"])
    assert is_alive(record)
    assert not is_alive(dataclasses.replace(record, boot="another"))


def test_a_process_whose_record_was_lost_is_found_by_its_mark(table: ProcessTable) -> None:
    table.start("lost", ["sh", "-c", "sleep 601 & sleep 600"])
    (table.state.pids / "lost.json").unlink()
    deadline = time.monotonic() + 60
    while len(dict(marked(table.state))) < 2:
        assert time.monotonic() < deadline
    table.kill_everything()
    assert not list(marked(table.state))


def test_the_mark_of_another_cluster_is_not_ours(table: ProcessTable, tmp_path: Path) -> None:
    environment = {**os.environ, MARK: str(tmp_path / "another")}
    other = subprocess.Popen(["sleep", "600"], env=environment)
    try:
        assert not table.everything()
    finally:
        other.kill()
        other.wait()


def test_the_program_behind_a_wrapper_is_the_one_that_is_stopped(table: ProcessTable) -> None:
    record = table.start("wrapped", ["unshare", "--user", "--fork", "--", "sleep", "600"])
    deadline = time.monotonic() + 60
    while program_of(record) == record.pid and time.monotonic() < deadline:
        time.sleep(0.01)
    inner = program_of(record)
    assert inner != record.pid
    table.stop("wrapped", budget=0)
    assert start_ticks(inner) is None


def test_a_half_written_record_is_passed_over(table: ProcessTable) -> None:
    (table.state.pids / "half.json").write_text('{"name": "ha')
    assert table.records() == []


def test_a_program_that_is_not_there_is_one_sentence(table: ProcessTable) -> None:
    with pytest.raises(ClusterError, match=r"cannot start /no/such/etcd: No such file"):
        table.start("etcd", ["/no/such/etcd"])


def test_bound_processes_die_with_the_thread_that_started_them(table: ProcessTable) -> None:
    def start_and_end() -> None:
        record = table.start("bound", ["sleep", "600"], bound=True)
        while Path(f"/proc/{record.pid}/comm").read_text() != "sleep\n":  # until then it only is to be bound
            time.sleep(0.01)

    starter = threading.Thread(target=start_and_end)
    starter.start()
    starter.join()
    deadline = time.monotonic() + 60
    while table.alive("bound"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
