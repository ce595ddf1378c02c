"""The files of workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.local.templates import new, running
from tidegate.local.worker.worker_files import TAIL_BYTES, WorkerFiles, older_log, previous_log, tail


@pytest.fixture
def files(tmp_path: Path) -> Iterator[WorkerFiles]:
    found = WorkerFiles(tmp_path / "state")
    found.make()
    yield found
    found.clear(set())


def test_a_record_is_read_as_it_was_written(files: WorkerFiles) -> None:
    state = running()
    files.remember(state)
    assert list(files.records()) == [("uid-1", state)]
    files.forget("uid-1")
    assert list(files.records()) == []


def test_a_log_that_grows_too_long_is_cut_off_and_its_writer_goes_on(files: WorkerFiles) -> None:
    state = new()
    files.begin(state)
    log = files.log(state)
    writer = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(writer, b"a" * 100)
        files.trim_logs({log}, 50)
        os.write(writer, b"more")
    finally:
        os.close(writer)
    assert log.read_text() == "more"
    assert older_log(log).read_text() == "a" * 100


def test_a_log_within_its_limit_is_left_alone(files: WorkerFiles) -> None:
    log = files.log(new())
    log.parent.mkdir()
    log.write_text("a" * 50)
    files.trim_logs({log}, 50)
    assert log.read_text() == "a" * 50
    assert not older_log(log).exists()


def test_the_logs_of_the_last_three_workers_that_are_gone_stay(files: WorkerFiles) -> None:
    logs = []
    for number in range(6):
        log = files.log(replace(new(), name=f"chat-aaaa{number}"))
        log.parent.mkdir(exist_ok=True)
        for file in (log, previous_log(log)):
            file.write_text("x")
            os.utime(file, (number, number))
        logs.append(log)
    other = files.log(replace(new(), name="chat-room-aaaa0"))
    other.write_text("x")
    files.trim_logs({logs[0]}, 50)
    assert [log.exists() for log in logs] == [True, False, False, True, True, True]
    assert [previous_log(log).exists() for log in logs] == [True, False, False, True, True, True]
    assert other.exists()


def test_last_words_are_the_message_else_the_end_of_the_log_of_one_that_failed(
    files: WorkerFiles,
) -> None:
    state = new()
    files.begin(state)
    files.log(state).write_text("one\ntwo\n")
    assert files.last_words(state, failed=False) == ""
    assert files.last_words(state, failed=True) == "one\ntwo"
    files.message(state.uid).write_text("ModelNotFound: x\n")
    assert files.last_words(state, failed=True) == "ModelNotFound: x"
    assert files.last_words(state, failed=False) == "ModelNotFound: x"


def test_a_long_log_is_told_by_its_last_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * TAIL_BYTES + "\nlast\n")
    assert tail(log) == "last"
    log.write_text("".join(f"{number}\n" for number in range(500)))
    assert tail(log).splitlines()[0] == "420"
    assert tail(tmp_path / "none") == ""


def test_what_belongs_to_nobody_is_removed(files: WorkerFiles) -> None:
    ours, stray = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "12")
    for uid in (ours, stray):
        state = replace(new(), uid=uid)
        files.begin(state)
        files.remember(state)
    files.clear({ours})
    assert [uid for uid, _ in files.records()] == [ours]
    assert files.scratch(ours).exists()
    assert not files.scratch(stray).exists()
    assert not files.message(stray).exists()
