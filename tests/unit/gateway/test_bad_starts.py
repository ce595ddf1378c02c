"""What somebody reads who gives the gateway a wrong option or a wrong file."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tidegate.cli import main

DOCUMENT = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata: {name: chat, namespace: local, annotations: {tidegate.io/endpoints: "127.0.0.1:9"}}
spec:
  model: {uri: "file:///m"}
  resources: {cpu: 1, memory: 1Gi}
  queue: {maxDepth: 4}
"""


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that ``tidegate gateway`` writes before it ends."""
    try:
        code = main(["gateway", *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code in (1, 2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--peer", "nonsense"], "argument --peer: 'nonsense' is not HOST:PORT"),
        (["--silence-timeout", "nan"], "argument --silence-timeout: 'nan' is not a number of seconds"),
        (["--file", "no-such.yaml"], "no-such.yaml: No such file or directory"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(
    capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert sentence in said(capsys, *options)


def test_without_a_cluster_the_file_is_named_as_the_other_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert "set KUBECONFIG, or serve a file's services with --file" in said(capsys)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("maxDepth", "maxdepth", "document 1: spec.queue.maxdepth: no such field"),
        ("127.0.0.1:9", "http://127.0.0.1:9", "'http://127.0.0.1:9' is not host:port"),
        ("127.0.0.1:9", "127.0.0.1:9, 127.0.0.1:9", "127.0.0.1:9 is there twice"),
        ("  queue:", "  model: {uri: 'file:///n'}\n  queue:", "not YAML: model is there twice at line 8"),
        ("{maxDepth: 4}", "{maxDepth: [", "not YAML: while parsing a flow node"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_the_file_and_the_field(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(DOCUMENT.replace(old, new))
    line = said(capsys, "--file", str(file))
    assert line.startswith(f"tidegate: {file}: ")
    assert sentence in line


@pytest.mark.parametrize("option", ["--listen", "--admin-listen", "--peer-listen"])
def test_a_port_that_is_taken_is_said_with_its_option(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str
) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(DOCUMENT)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = [word for name in ("--listen", "--admin-listen") for word in (name, "127.0.0.1:0")]
        line = said(capsys, "--file", str(file), *free, option, address)
    assert line == f"tidegate: {option} {address}: Address already in use"
