"""Standard input, which may be closed when the program begins."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_set import Machine


def test_it_is_the_stream_of_the_moment_that_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("kind: Nothing\n"))
    with pytest.raises(ValueError, match=r"stdin.*Nothing"):
        ManifestFiles(["-"], Machine()).read()


def test_bytes_that_are_no_text_are_told_with_the_name_of_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").write_bytes(b"kind: \xff\n")
    with (tmp_path / "in").open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(ValueError, match="stdin: byte 7 is not utf-8 text"):
            ManifestFiles(["-"], Machine()).read()
