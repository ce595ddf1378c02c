"""The command line: exit codes, what a shell gets, and one sentence instead of a traceback."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest

from tests.unit.devcluster.recording import Recorder
from tidegate.devcluster.cli import main, parser
from tidegate.devcluster.context import Context
from tidegate.devcluster.facts import Facts
from tidegate.devcluster.kind import Kind
from tidegate.devcluster.layout import State
from tidegate.devcluster.local import ApiServerProvider, EmbeddedProvider
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tool import IMAGES, Tool


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TIDEGATE_CLUSTER", raising=False)


def tool(*words: str, runner: Recorder | None = None, **env: str) -> Tool:
    options = parser().parse_args(words)
    return Tool(options, {"HOME": "/nowhere", **env}, Progress(None), runner or Recorder(), httpx.Client())


def test_the_provider_is_the_one_that_the_command_line_names() -> None:
    assert isinstance(tool("up", "--provider", "kind").provider(), Kind)
    assert isinstance(tool("up", "--provider", "context").provider(), Context)
    assert isinstance(tool("up", "--provider", "embedded").provider(), EmbeddedProvider)
    assert isinstance(tool("up", "--mode", "apiserver").provider(), ApiServerProvider)


def test_the_provider_may_come_from_the_environment() -> None:
    assert isinstance(tool("up", TIDEGATE_CLUSTER="context").provider(), Context)


def test_a_wrong_provider_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_CLUSTER", "minikube")
    assert main(["up"]) == 2
    assert "TIDEGATE_CLUSTER is 'minikube': it must be one of auto, kind" in capsys.readouterr().err


def test_where_neither_docker_nor_kind_is_there_the_embedded_cluster_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(tool("up").provider(), EmbeddedProvider)


def test_docker_without_kind_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    out = io.StringIO()
    one = Tool(parser().parse_args(["up"]), {"HOME": "/nowhere"}, Progress(out), Recorder(), httpx.Client())
    assert isinstance(one.provider(), EmbeddedProvider)
    assert "kind is not installed" in out.getvalue()


def test_kind_is_used_where_docker_and_kind_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("docker", "kind"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(tool("up").provider(), Kind)


def test_without_root_the_embedded_cluster_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for command in ("up", "down", "images"):
        assert main([command, "--provider", "embedded"]) == 2
        printed = capsys.readouterr().err
        assert "needs root" in printed
        assert "sudo" in printed
        assert "Traceback" not in printed


def test_a_shell_gets_lines_that_it_can_evaluate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["env", "--provider", "embedded", "--state", f"{tmp_path}/with space"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"export KUBECONFIG='{tmp_path}/with space/admin.kubeconfig'"
    assert lines[1].startswith(f"export PATH='{tmp_path}/with space/bin:")


def test_status_of_nothing_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--provider", "embedded"]) == 1
    assert capsys.readouterr().out == "no embedded cluster is up\n"


def test_an_api_server_never_shares_a_folder_with_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("up").state != tool("up", "--mode", "apiserver").state


def test_a_folder_of_a_cluster_is_not_taken_for_an_api_server(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = State(tmp_path / "cluster")
    state.make()
    Facts("full", "https://10.95.0.1:6443", ["node-1"], []).write(state)
    assert main(["up", "--mode", "apiserver", "--state", str(state.root)]) == 2
    assert "belongs to a cluster in mode full" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [[], ["all"], ["operator", "all"]])
def test_all_images_are_meant_where_none_is_named(asked: list[str]) -> None:
    one = tool("images", *asked)
    assert tuple(one._images()) == IMAGES


def test_an_unknown_image_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["images", "nginx"])
    assert ended.value.code == 2
    assert "invalid choice: 'nginx'" in capsys.readouterr().err


def test_progress_lines_begin_with_the_seconds() -> None:
    times = iter([0.0, 12.4])
    out = io.StringIO()
    Progress(out, lambda: next(times)).say("building etcd")
    assert out.getvalue() == "[  12 s] building etcd\n"


def test_a_folder_that_no_cluster_made_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work")
    for command in ("up", "down"):
        assert main([command, "--mode", "apiserver", "--state", str(tmp_path)]) == 2
    assert precious.read_text() == "years of work"
