"""``tidegate install-service``: what it prints, writes and refuses."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.cli import main
from tidegate.local.service.installing import closed_to_others

MANIFEST = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata: {name: chat}
spec:
  model: {uri: "file:///m"}
  resources: {cpu: 1, memory: 1Gi}
  queue: {executionTimeoutSeconds: 60}
"""


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("PYTHONPATH", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HF_HOME", "TIDEGATE_WORKER_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "chat.yaml"
    file.write_text(MANIFEST)
    return file


def unit_of(tmp_path: Path) -> Path:
    return tmp_path / "config/systemd/user/tidegate.service"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    assert main(["install-service", *arguments, "--dry-run"]) == 0
    lines = [
        line for line in capsys.readouterr().out.splitlines() if "=" in line and not line.startswith("#")
    ]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["install-service", *arguments]) == 1
    return capsys.readouterr().err


@pytest.mark.usefixtures("manifest")
def test_the_command_is_up_with_absolute_paths_and_the_options_as_they_were_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("-f", "chat.yaml", "--listen", "0.0.0.0:8080", "--state", "here", "--access-log")
    command = shlex.split(printed(capsys, *given)["ExecStart"])
    assert command[:5] == [sys.executable, "-P", "-m", "tidegate.cli", "up"]
    assert command[5:] == [
        *("-f", str(tmp_path / "chat.yaml"), "--listen", "0.0.0.0:8080"),
        *("--state", str(tmp_path / "here"), "--access-log"),
    ]


@pytest.mark.usefixtures("manifest")
def test_what_is_off_is_off_in_the_unit(capsys: pytest.CaptureFixture[str]) -> None:
    command = printed(capsys, "-f", "chat.yaml", "--no-access-log")["ExecStart"]
    assert command.endswith(" --no-access-log")


@pytest.mark.usefixtures("manifest")
def test_a_stop_has_the_time_of_the_drain_and_of_the_longest_worker(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printed(capsys, "-f", "chat.yaml", "--drain-seconds", "20")["TimeoutStopSec"] == str(
        20 + 60 + 30 + 15
    )


@pytest.mark.usefixtures("manifest")
def test_a_users_service_has_the_folders_of_the_shell_and_the_machines_has_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/mine")
    monkeypatch.setenv("PYTHONPATH", "/built")
    for system, expected in ((), True), (("--system", "--user", "root"), False):
        assert main(["install-service", "-f", "chat.yaml", *system, "--dry-run"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "Environment=PYTHONPATH=/built" in lines
        assert ("Environment=XDG_STATE_HOME=/mine" in lines) is expected


@pytest.mark.usefixtures("manifest")
def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "-f", "chat.yaml")
    assert not (tmp_path / "config").exists()


@pytest.mark.usefixtures("manifest")
def test_written_it_names_the_next_commands_and_removed_it_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install-service", "-f", "chat.yaml"]) == 0
    said = capsys.readouterr().out
    assert str(unit_of(tmp_path)) in said
    for command in ("systemctl --user enable --now tidegate", "loginctl enable-linger", "tidegate get"):
        assert command in said
    assert unit_of(tmp_path).exists()
    assert main(["install-service", "--remove"]) == 0
    assert "systemctl --user stop tidegate" in capsys.readouterr().out
    assert not unit_of(tmp_path).exists()
    assert main(["install-service", "--remove"]) == 0
    assert capsys.readouterr().out == f"there is no {unit_of(tmp_path)}\n"


@pytest.mark.usefixtures("manifest")
def test_another_units_file_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit_of(tmp_path).parent.mkdir(parents=True)
    unit_of(tmp_path).write_text("[Service]\n")
    assert "was not written by tidegate install-service" in refused(capsys, "-f", "chat.yaml")
    assert unit_of(tmp_path).read_text() == "[Service]\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "tidegate: -f: name the files or folders"),
        (("-f", "-"), "tidegate: -f -: a service has no standard input"),
        (("-f", "missing.yaml"), "missing.yaml: there is no such file or folder"),
        (("-f", "chat.yaml", "--user", "models"), "tidegate: --user: is for --system"),
        (("-f", "chat.yaml", "--system", "--containers", "podman"), "rootless podman belongs to a user"),
        (("-f", "chat.yaml", "--system", "--user", "root", "--state", "/x"), "--state: systemd gives"),
    ],
)
@pytest.mark.usefixtures("manifest")
def test_what_cannot_be_a_service_is_refused_with_a_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, *arguments)
    assert sentence in said
    assert said.count("\n") == 1


def test_a_broken_manifest_is_named_before_anything_is_written(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest.write_text(MANIFEST.replace("cpu: 1", "cpu: 0"))
    assert "chat.yaml: document 1: spec.resources.cpu" in refused(capsys, "-f", "chat.yaml")
    assert not (tmp_path / "config").exists()


def test_what_systemds_own_user_cannot_read_is_named(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o700)
    said = refused(capsys, "-f", str(manifest), "--system", "--dry-run")
    assert "is closed to the user that systemd makes for the service" in said
    assert "--user" in said
    assert "User" in printed(capsys, "-f", str(manifest), "--system", "--user", "models")


@pytest.mark.usefixtures("manifest")
def test_an_option_that_up_does_not_have_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["install-service", "-f", "chat.yaml", "--listen", "nowhere"])
    assert ended.value.code == 2
    assert "'nowhere' is not HOST:PORT" in capsys.readouterr().err


def test_a_module_in_the_folder_that_the_service_starts_in_is_not_imported(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = shlex.split(printed(capsys, "-f", str(manifest))["ExecStart"])
    (tmp_path / "tidegate").mkdir()
    (tmp_path / "tidegate/__init__.py").write_text("raise SystemExit('somebody else')")
    program = command[: command.index("up")]
    done = subprocess.run([*program, "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "install-service" in done.stdout


@pytest.mark.parametrize("system", [("--system",), ("--system", "--user", "root"), ()])
def test_a_secret_is_never_to_be_made_readable_for_everybody(
    system: tuple[str, ...], manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    also = "---\n{apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {HF_TOKEN: abc}}\n"
    manifest.write_text(MANIFEST + also)
    manifest.chmod(0o600)
    if system != ("--system",):
        assert main(["install-service", "-f", str(manifest), *system, "--dry-run"]) == 0
        return
    said = refused(capsys, "-f", str(manifest), *system)
    assert "Secret default/token" in said
    assert "--user" in said
    assert "/etc/tidegate/environment" in said


@pytest.fixture
def open_manifest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In a folder that everybody can read, which pytest's own are not; nor need Python and tidegate be."""
    for name in ("sys.executable", "tidegate.cli.install_service.__file__"):
        monkeypatch.setattr(name, "/bin/sh")
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "services/chat.yaml")
        file.parent.mkdir()
        file.write_text(MANIFEST)
        for place, mode in ((Path(name), 0o755), (file.parent, 0o755), (file, 0o644)):
            place.chmod(mode)
        if closed_to_others([file]) is not None:
            pytest.skip("temporary files of this machine are closed to others")
        yield file


def test_all_that_the_service_would_read_must_be_open_to_its_user(
    open_manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = open_manifest.parent
    given = ("-f", str(folder), "--system", "--dry-run")
    (folder / "notes.txt").touch(0o600)  # nobody reads it
    printed(capsys, *given)
    models = folder.parent / "models"
    models.mkdir(mode=0o711)
    for place, closed, mode in ((open_manifest, 0o640, 0o644), (folder, 0o711, 0o755)):
        place.chmod(closed)
        assert refused(capsys, *given).startswith(f"tidegate: {place}: is closed to the user")
        place.chmod(mode)
    assert f"{models}: is closed to the user" in refused(capsys, *given, "--root", str(models))
