"""Standard input, which may be closed when the program begins."""

from __future__ import annotations

import io

import pytest

from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_set import Machine


def test_it_is_the_stream_of_the_moment_that_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("kind: Nothing\n"))
    with pytest.raises(ValueError, match=r"stdin.*Nothing"):
        ManifestFiles(["-"], Machine()).read()
