"""A worker's log, read from its end and through its restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.local.asking.log_file import LogFile


@pytest.mark.parametrize(
    ("content", "lines", "wanted"),
    [
        (b"one\ntwo\nthree\n", 2, b"two\nthree\n"),
        (b"one\ntwo\nthree", 2, b"two\nthree"),
        (b"one\ntwo\n", 5, b"one\ntwo\n"),
        (b"one\ntwo\n", 0, b""),
        (b"", 3, b""),
        (b"\n\n\n", 2, b"\n\n"),
        (b"x" * 200_000 + b"\nlast\n", 1, b"last\n"),
        (b"y\n" * 100_000, 70_000, b"y\n" * 70_000),
    ],
)
def test_the_last_lines_are_the_last_lines(tmp_path: Path, content: bytes, lines: int, wanted: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with LogFile(path) as file:
        file.from_end(lines)
        assert file.read() == wanted


def test_what_the_old_file_got_last_is_read_before_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n")
    with LogFile(path) as file:
        assert file.read() == b"first\n"
        assert file.read() == b""
        with path.open("ab") as old:
            old.write(b"last words\n")
        path.rename(tmp_path / "log.previous")
        assert not file.renewed()  # the new one is not there yet
        path.write_bytes(b"again\n")
        assert file.renewed()
        assert file.read() == b"last words\n"
        assert file.read() == b"again\n"
        assert not file.renewed()


def test_a_file_that_was_emptied_is_read_from_its_begin(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"much that goes\n")
    with LogFile(path) as file:
        file.read()
        path.write_bytes(b"new\n")
        assert not file.renewed()
        assert file.read() == b"new\n"
