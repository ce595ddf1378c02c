"""Where state lies, and that one process at a time has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.local.state.state_folder import HeldError, held, holder, state_folder

HOLD = """
import sys
from pathlib import Path
from tidegate.local.state.state_folder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_folder_is_the_one_that_is_named_else_systemds_else_the_users() -> None:
    home = {"HOME": "/home/me"}
    assert state_folder(None, home) == Path("/home/me/.local/state/tidegate/local")
    assert state_folder(None, {**home, "XDG_STATE_HOME": "/s"}) == Path("/s/tidegate/local")
    assert state_folder(None, {**home, "XDG_STATE_HOME": "relative"}) == Path(
        "/home/me/.local/state/tidegate/local"
    )
    systemd = {**home, "XDG_STATE_HOME": "/s", "STATE_DIRECTORY": "/var/lib/tidegate:/var/lib/more"}
    assert state_folder(None, systemd) == Path("/var/lib/tidegate")
    assert state_folder(Path("/named"), systemd) == Path("/named")


def test_a_relative_folder_does_not_depend_on_the_present_one_for_ever() -> None:
    assert state_folder(Path("here"), {}) == Path.cwd() / "here"


def test_a_user_without_a_home_is_told_what_to_do() -> None:
    with pytest.raises(ValueError, match="--state"):
        state_folder(None, {})


def test_a_held_folder_names_its_process_and_is_free_after_it_whatever_ended_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    assert holder(folder) == other.pid
    with pytest.raises(HeldError, match=f"process {other.pid} .* --state") as refused, held(folder):
        pass
    assert refused.value.pid == other.pid
    other.kill()
    other.communicate()
    assert holder(folder) is None
    with held(folder):
        assert json.loads((folder / "lock").read_text()) == {"pid": os.getpid()}


def test_nobody_else_may_read_a_folder_that_is_made(tmp_path: Path) -> None:
    with held(tmp_path / "state"):
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ValueError, match="chmod 700"), held(tmp_path):
        pass


def test_nobody_holds_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert holder(tmp_path / "none") is None


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with (
        pytest.raises(ValueError, match=rf"of user {os.getuid()}, and this is user .* --state"),
        held(tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_others_may_read_is_closed_and_so_is_its_lock(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    lock = tmp_path / "lock"
    lock.touch(0o644)
    with held(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o700
        assert lock.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("planted", ["symlink_to", "hardlink_to"])
def test_a_lock_that_is_a_link_costs_nobody_his_file(tmp_path: Path, planted: str) -> None:
    folder, other = tmp_path / "state", tmp_path / "other"
    folder.mkdir(0o700)
    other.write_text("precious")
    getattr(folder / "lock", planted)(other)
    with pytest.raises(ValueError, match="remove it"), held(folder):
        pass
    assert other.read_text() == "precious"


def test_what_an_earlier_and_longer_holder_has_written_is_gone(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps({"pid": 10**12}))
    with held(tmp_path):
        assert holder(tmp_path) == os.getpid()
