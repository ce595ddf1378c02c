"""A folder that is not tidegate's is left as it is, whatever --state says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.cli import main
from tidegate.local.state.state_folder import held
from tidegate.local.state.state_identity import identity, is_ours
from tidegate.local.worker.worker_files import LOGS_KEPT, WorkerFiles

UID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A home, say: what is in it has the names that tidegate's own folders have."""
    for name in ("tmp/letter", "workers/payroll.json", "logs/app/server.log", f"workers/{UID}.json"):
        file = tmp_path / "home" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("dear")
    return tmp_path / "home"


def listed(folder: Path) -> set[Path]:
    """Everything in it."""
    return set(folder.rglob("*"))


def test_a_folder_with_other_things_in_it_is_refused_and_stays_as_it_is(foreign: Path) -> None:
    before = listed(foreign)
    foreign.chmod(0o755)
    with pytest.raises(ValueError, match=r"no state folder .* such as logs: .* --state"), held(foreign):
        pass
    assert listed(foreign) == before
    assert foreign.stat().st_mode & 0o777 == 0o755


def test_up_refuses_it_in_one_sentence(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = listed(foreign)
    assert main(["up", "-f", str(foreign / "workers"), "--state", str(foreign)]) == 1
    said = capsys.readouterr().err
    assert "no state folder of tidegate's" in said
    assert said.count("\n") == 1
    assert listed(foreign) == before


def test_down_neither_makes_nor_removes_anything_in_it(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listed(foreign)
    assert main(["down", "--state", str(foreign)]) == 0
    assert "nothing runs" in capsys.readouterr().err
    assert listed(foreign) == before


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", "identity.new"), ("lost+found",)])
def test_an_empty_folder_becomes_tidegates_also_where_another_was_killed_at_its_start(
    tmp_path: Path, left: tuple[str, ...]
) -> None:
    for name in left:
        (tmp_path / name).touch(0o600)
    tmp_path.chmod(0o700)
    assert not is_ours(tmp_path)
    with held(tmp_path):
        assert is_ours(tmp_path)
        made = identity(tmp_path)
        (tmp_path / "workers").mkdir()
    with held(tmp_path):
        assert identity(tmp_path) == made
    assert (tmp_path / "identity").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_only_called_identity_makes_no_folder_tidegates(foreign: Path) -> None:
    (foreign / "identity").write_text("a passport\n")
    with pytest.raises(ValueError, match="no state folder"), held(foreign):
        pass


def test_what_has_not_the_name_of_a_workers_file_is_nobodys_business(tmp_path: Path) -> None:
    files = WorkerFiles(tmp_path / "state")
    files.make()
    others = [files.state / name for name in ("tmp/mine", "tmp/mine.gone", "workers/a.json", "workers/note")]
    logs = [files.state / "logs/app" / f"server{number}.log" for number in range(LOGS_KEPT + 2)]
    for file in (*others, *logs):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    gone = [files.state / "tmp/11111111", *(files.state / f"workers/{UID}.{end}" for end in ("json", "new"))]
    gone[0].mkdir()
    gone[1].write_text("x")
    gone[2].write_text("x")
    files.clear(set())
    files.trim_logs(set(), 50)
    assert [file for file in (*others, *logs, *gone) if file.exists()] == [*others, *logs]
