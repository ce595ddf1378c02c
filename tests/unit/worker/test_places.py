"""Folders that cannot be written and a port that is taken, tried before vLLM is imported."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from tidegate_worker.arguments import Arguments
from tidegate_worker.failure import Failure
from tidegate_worker.places import check_places

LOCAL, HUB = "/models/qwen", "Qwen/Qwen2.5-7B-Instruct"
FREE = ("--port", "0")


def check(model: str, *words: str, **environment: str | Path) -> Failure | None:
    given = {name: str(value) for name, value in environment.items()}
    return check_places(Arguments(("--model", model, *FREE, *words)), given)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that cannot be made, not even by root."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "cache"


@pytest.mark.parametrize("name", ["VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"])
def test_a_cache_that_cannot_be_written_is_named_with_its_variable(name: str, closed: Path) -> None:
    failure = check(LOCAL, **{name: closed})
    assert failure is not None
    assert failure.reason == "NotWritable"
    assert failure.message == f"{closed} ({name}) cannot be written by user {os.geteuid()}: Not a directory"


def test_a_cache_of_compiled_code_does_not_matter_where_nothing_is_compiled(closed: Path) -> None:
    assert check(LOCAL, "--enforce-eager", VLLM_CACHE_ROOT=closed) is None


def test_the_hubs_cache_matters_where_the_model_comes_from_there(closed: Path) -> None:
    assert check(LOCAL, HF_HOME=closed) is None
    failure = check(HUB, "--enforce-eager", HF_HOME=closed)
    assert failure is not None
    assert failure.reason == "NotWritable"
    assert check(HUB, "--download-dir", str(closed)) is not None


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert check(LOCAL, VLLM_CACHE_ROOT=tmp_path / "cache") is None
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_full_disk_is_another_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    failure = check(LOCAL, VLLM_CACHE_ROOT=tmp_path)
    assert failure is not None
    assert failure.reason == "NoSpaceLeft"
    assert "resources.ephemeralStorage" in failure.advice


def test_a_machine_without_a_folder_for_temporary_files_is_named(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    failure = check(LOCAL, TMPDIR=closed)
    assert failure is not None
    assert failure.message.startswith(f"{closed} (for temporary files) cannot be written")


def test_a_port_that_somebody_listens_on_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        failure = check(LOCAL, "--host", "127.0.0.1", "--port", str(port))
        assert check(LOCAL, "--uds", "/tmp/socket", "--port", str(port)) is None  # noqa: S108  not made
    assert failure is not None
    said = f"PortInUse: port {port} is taken by another program at 127.0.0.1 on this machine."
    assert failure.line.startswith(said)


def test_a_port_that_is_none_is_left_for_the_engine_to_complain_about() -> None:
    assert check(LOCAL, "--port", "99999") is None


@pytest.mark.parametrize("offline", ["1", "on", "True"])
def test_a_cache_of_the_hub_that_is_only_read_need_not_be_written(offline: str, closed: Path) -> None:
    words = ("--enforce-eager", "--download-dir", str(closed))
    assert check(HUB, *words, HF_HOME=closed, HF_HUB_OFFLINE=offline) is None
    assert check(HUB, "--enforce-eager", HF_HOME=closed, HF_HUB_OFFLINE="0") is not None


def test_a_download_folder_does_not_matter_to_a_model_that_is_here(closed: Path) -> None:
    assert check(LOCAL, "--download-dir", str(closed)) is None


def test_the_general_cache_does_not_matter_beside_vllms_own(closed: Path, tmp_path: Path) -> None:
    assert check(LOCAL, VLLM_CACHE_ROOT=tmp_path / "kept", XDG_CACHE_HOME=closed) is None
    assert check(LOCAL, XDG_CACHE_HOME=closed) is not None
