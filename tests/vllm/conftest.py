"""vLLM's packages and the models, made at the first run and kept in the user's cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.worker_process import Starter, made_by


@pytest.fixture(scope="session")
def site_packages() -> Path:
    """vLLM and all it needs; a download of 1.0 GB and 45 seconds at the first run."""
    return made_by("install_cpu.py")


@pytest.fixture(scope="session")
def tiny_chat() -> Path:
    """A tiny chat model with random weights."""
    return made_by("make_tiny_model.py")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """An embedding model with real weights."""
    return made_by("fetch_minilm.py")


@pytest.fixture(scope="module")
def start(site_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts workers; all are stopped at the end of the module."""
    starter = Starter(site_packages, tmp_path_factory.mktemp("workers"))
    try:
        yield starter
    finally:
        starter.stop_all()
