"""A user without HOME and without an entry in the list of users."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.kube.connection import kubeconfig_files
from tidegate.kube.errors import KubeConfigError
from tidegate.local.home import home
from tidegate.local.service.installing import unit_folder
from tidegate.local.worker.engines import engine_settings


@pytest.fixture(autouse=True)
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pathlib does for such a user."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.delenv("KUBECONFIG", raising=False)


def test_it_is_told_which_variable_does_without() -> None:
    with pytest.raises(ValueError, match="set HOME, or SOME_FOLDER"):
        home("SOME_FOLDER")
    with pytest.raises(ValueError, match="XDG_CACHE_HOME"):
        engine_settings(None, {})
    with pytest.raises(ValueError, match="XDG_CONFIG_HOME"):
        unit_folder({}, system=False)
    with pytest.raises(KubeConfigError, match="set KUBECONFIG"):
        kubeconfig_files()


def test_named_folders_need_no_home() -> None:
    assert engine_settings(None, {"XDG_CACHE_HOME": "/c"}).root == Path("/c/tidegate")
    assert engine_settings(Path("/r"), {}).root == Path("/r")
    assert unit_folder({"XDG_CONFIG_HOME": "/c"}, system=False) == Path("/c/systemd/user")
