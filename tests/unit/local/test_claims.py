"""Two supervisors of one user do not give the same core or device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.local.machine.claims import Claims, claims_folders, open_claims
from tidegate.local.machine.placing import Machine, Room
from tidegate.local.worker.pod_state import Placement

MACHINE = Machine(frozenset(range(4)), 1, ("0", "GPU-5a"))
ALL = frozenset(range(4))


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Claims, Claims]]:
    one, two = (open_claims({"XDG_RUNTIME_DIR": str(tmp_path)}) for _ in range(2))
    yield one, two
    one.close()
    two.close()


def test_what_one_has_the_other_does_not_see_until_it_is_given_back(both: tuple[Claims, Claims]) -> None:
    one, two = both
    assert one.take(Room((1, 2), ("GPU-5a",)))
    assert one.rest(MACHINE) == MACHINE
    assert two.rest(MACHINE) == Machine(frozenset({0, 3}), 1, ("0",))
    assert not two.take(Room((0, 1), ()))
    assert one.rest(MACHINE).cores == ALL, "what was got of a try that failed is given back"
    one.keep([Placement(0.0, (2,))])
    assert two.rest(MACHINE) == Machine(frozenset({0, 1, 3}), 1, ("0", "GPU-5a"))
    one.close()
    assert two.rest(MACHINE) == MACHINE


def test_all_may_share_and_each_knows_that_others_do(both: tuple[Claims, Claims]) -> None:
    one, two = both
    assert one.take(Room((), ()))
    assert (one.others_share(), two.others_share()) == (False, True)
    assert two.take(Room((), ()))
    assert (one.others_share(), two.others_share()) == (True, True)
    two.keep([])
    assert not one.others_share()


def test_a_worker_that_runs_keeps_what_is_left_where_another_was_faster(both: tuple[Claims, Claims]) -> None:
    one, two = both
    assert two.take(Room((0,), ()))
    assert not one.take_back(Placement(0.0, (0, 1)))
    assert two.rest(MACHINE).cores == {0, 2, 3}


def test_without_a_folder_all_is_given_as_by_one_alone() -> None:
    claims = Claims()
    assert claims.take(Room((0,), ("0",)))
    assert claims.take_back(Placement(0.0, (0,)))
    assert (claims.rest(MACHINE), claims.others_share()) == (MACHINE, False)
    claims.keep([])
    claims.close()


def refused(told: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether nothing there is used."""
    monkeypatch.setattr("tidegate.local.machine.claims.claims_folders", lambda *_: (told / "tidegate",))
    one, two = open_claims({}), open_claims({})
    try:
        return one.take(Room((0,), ())) and two.take(Room((0,), ()))
    finally:
        one.close()
        two.close()


def test_a_folder_that_others_may_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tidegate").mkdir()
    (tmp_path / "tidegate").chmod(0o777)
    assert refused(tmp_path, monkeypatch)
    (tmp_path / "tidegate").chmod(0o700)
    assert not refused(tmp_path, monkeypatch)


def test_no_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    (tmp_path / "tidegate").symlink_to(other)
    assert refused(tmp_path, monkeypatch)
    assert not list(other.iterdir())
    (tmp_path / "tidegate").unlink()
    (tmp_path / "tidegate").mkdir(mode=0o700)
    (tmp_path / "tidegate/claims").symlink_to(tmp_path / "victim")
    assert refused(tmp_path, monkeypatch)
    assert not (tmp_path / "victim").exists()


def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tidegate").mkdir(mode=0o700)
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    assert refused(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("user", "told", "expected"),
    [
        (1000, "/run/user/1000", "/run/user/1000/tidegate"),
        (0, "/run/user/0", "/run/tidegate"),  # a service of root has none, and must find the same
        (0, "", "/run/tidegate"),
        (0, "/srv/own", "/srv/own/tidegate"),
        (4_000_000, "", "/tmp/tidegate-4000000"),  # noqa: S108
        (4_000_000, "not/absolute", "/tmp/tidegate-4000000"),  # noqa: S108
    ],
)
def test_a_user_has_one_folder_however_it_came_here(user: int, told: str, expected: str) -> None:
    assert str(claims_folders({"XDG_RUNTIME_DIR": told}, user)[0]) == expected
