"""The fast start is for the vLLM that was looked at, and can be switched off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
PROGRAM = "import json; from tidegate_worker import faststart; print(json.dumps(faststart.prepare_forks()))"


def processes(folder: Path, version: str, *, cpu: bool = True, **more: str) -> str:
    """What is said of the processes beside a vLLM of that version."""
    package = folder / "vllm"
    package.mkdir()
    (package / "__init__.py").write_text(f"__version__ = {version!r}\n")
    platform = f"class current_platform:\n    is_cpu = staticmethod(lambda: {cpu})\n"
    (package / "platforms.py").write_text(platform)
    where = {"PYTHONPATH": f"{WORKER_IMAGE}:{folder}", "PATH": os.environ["PATH"], "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=where | more, stdout=-1, timeout=120, check=True
    )
    return str(json.loads(done.stdout)["processes"])


def test_the_processes_of_a_known_version_are_forked(tmp_path: Path) -> None:
    assert processes(tmp_path, "0.32.1+cpu") == "forked"


@pytest.mark.parametrize("version", ["0.31.9", "0.33.0", "0.320.0", "dev"])
def test_another_version_starts_the_stock_way_and_says_so(tmp_path: Path, version: str) -> None:
    assert processes(tmp_path, version) == f"spawned: vLLM is {version}, and 0.32.x is known"


def test_on_a_gpu_nothing_is_replaced(tmp_path: Path) -> None:
    assert processes(tmp_path, "0.32.0", cpu=False).startswith("spawned: not on a CPU")


def test_a_variable_switches_it_off(tmp_path: Path) -> None:
    said = processes(tmp_path, "0.32.0", TIDEGATE_FAST_START="0")
    assert said == "spawned: TIDEGATE_FAST_START=0"
