"""What holds for every test with real processes: it leaves no control group behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.component.local.groups import tops


@pytest.fixture(autouse=True)
def _leaves_no_control_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Others on this machine may make some meanwhile: those of this run carry the identity of a state folder
    below its own temporary folder."""
    before = _groups()
    yield
    if new := _groups() - before:
        files = tmp_path_factory.getbasetemp().rglob("identity")
        ours = {f"tidegate-{file.read_text()[:8]}" for file in files if file.is_file()}
        assert not new & ours, "control groups of supervisors that this test has begun"


def _groups() -> set[str]:
    return {folder.name for top in tops() if top.is_dir() for folder in top.glob("tidegate-*")}
