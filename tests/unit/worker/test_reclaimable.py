"""What vLLM is told of its cgroup's memory: without the page cache, in each of its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.worker.conftest import WORKER_IMAGE
from tidegate_worker.reclaimable import UsageLessFiles, file_pages

# A group that holds 100 bytes of anonymous memory, 64 of files in memory, 30 and 7 of files on a disk.
STAT_2 = "anon 100\nfile 101\nshmem 64\ninactive_anon 64\nactive_anon 100\ninactive_file 30\nactive_file 7\n"
# Version 1 counts its own and, with `total_`, those of the groups below as well, as the usage does.
STAT_1 = "inactive_file 1\nactive_file 2\ntotal_shmem 64\ntotal_inactive_file 30\ntotal_active_file 7\n"
VLLM = '''
def get_cgroup_memory_usage():
    """Stands in for vLLM's."""
    return 4096
'''
# Stands in for the worker's supervisor: one process says what it is told, and so does one that it spawns.
SUPERVISOR = """
import sys, types

def supervise(words, environment):
    import multiprocessing, pathlib, told
    from tidegate_worker import fork_server, reclaimable
    print(reclaimable.prepare_memory()["pageCache"], flush=True)
    if words == ["forked"]:
        assert fork_server.start_fork_server() is None
    process = multiprocessing.get_context("spawn").Process(target=told.tell)
    process.start()
    process.join()
    return process.exitcode

module = types.ModuleType("tidegate_worker.supervisor")
module.supervise = supervise
sys.modules[module.__name__] = module
"""
TOLD = """
import os

def tell():
    import vllm.utils.cpu_resource_utils as module
    print(type(module.get_cgroup_memory_usage).__name__, flush=True)
"""
WAYS = {
    "the image's": [str(WORKER_IMAGE / "entrypoint.py")],
    "a module": ["-P", "-m", "tidegate_worker"],
}


def group(folder: Path, **files: str) -> Path:
    """A cgroup's folder with these files, each named with an underline for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return folder


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    """What is mounted in a container on a node with version 2."""
    return group(tmp_path / "v2", memory_max="4096\n", memory_stat=STAT_2)


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """What is mounted in a container on a node with version 1."""
    group(tmp_path / "v1/memory", memory_limit_in_bytes="4096\n", memory_stat=STAT_1)
    return tmp_path / "v1"


def test_pages_of_files_on_disks_are_taken_off_and_files_in_memory_are_not(
    version_1: Path, version_2: Path
) -> None:
    assert [UsageLessFiles(lambda: 201, top)() for top in (version_1, version_2)] == [164, 164]


def test_what_is_read_later_than_the_usage_never_makes_it_negative(version_2: Path) -> None:
    assert UsageLessFiles(lambda: 36, version_2)() == 0


def test_a_usage_that_is_not_known_stays_unknown(version_2: Path) -> None:
    assert UsageLessFiles(lambda: None, version_2)() is None


def test_the_usage_is_asked_for_anew_each_time(version_2: Path) -> None:
    usages = iter([100, 200])
    told = UsageLessFiles(lambda: next(usages), version_2)
    assert [told(), told()] == [63, 163]


def test_a_kernel_that_does_not_say_leaves_the_stock_usage(tmp_path: Path) -> None:
    assert UsageLessFiles(lambda: 100, group(tmp_path / "bare", memory_max="4096\n"))() == 100


@pytest.mark.parametrize("limit", ["max\n", ""])
def test_without_a_limit_in_version_2_it_is_version_1_as_for_vllm(version_1: Path, limit: str) -> None:
    group(version_1, memory_max=limit, memory_stat="inactive_file 1000\n")
    assert file_pages(version_1) == 37


def run(
    folder: Path, way: list[str], *words: str, version: str = "0.32.0", vllm: str = VLLM, **more: str
) -> str:
    """What a worker's first process says beside such a vLLM, and the process that it starts."""
    package = folder / "vllm"
    (package / "utils").mkdir(parents=True)
    (package / "__init__.py").write_text(f"__version__ = {version!r}\n")
    (package / "utils/__init__.py").touch()
    (package / "utils/cpu_resource_utils.py").write_text(vllm)
    (folder / "sitecustomize.py").write_text(SUPERVISOR)
    (folder / "told.py").write_text(TOLD)
    where = {"PYTHONPATH": f"{folder}{os.pathsep}{WORKER_IMAGE}", "TIDEGATE_ALLOCATOR": "none"}
    command = [sys.executable, *way, *words]
    done = subprocess.run(
        command, env={**os.environ, **where, **more}, text=True, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["forked", "spawned"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_holds_in_the_processes_that_vllm_starts(way: list[str], kind: str, tmp_path: Path) -> None:
    assert run(tmp_path, way, kind).splitlines() == ["available", "UsageLessFiles"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"TIDEGATE_RECLAIMABLE": "0"}, "TIDEGATE_RECLAIMABLE=0"),
        ({"version": "0.33.0"}, "vLLM is 0.33.0, and 0.32.x is known"),
        (
            {"vllm": VLLM.replace("()", "(node)")},
            "vLLM's get_cgroup_memory_usage is another one than that of 0.32.x",
        ),
        ({"vllm": ""}, "vLLM's get_cgroup_memory_usage is another one than that of 0.32.x"),
    ],
)
def test_otherwise_it_is_vllms_own_account_everywhere_and_the_log_says_why(
    more: dict[str, str], why: str, tmp_path: Path
) -> None:
    vllm = more.get("vllm", VLLM) or "get_cgroup_memory_usage = max\n"
    said = run(tmp_path, WAYS["the image's"], "spawned", **{**more, "vllm": vllm}).splitlines()
    assert said[0] == f"counted as used: {why}"
    assert said[1] in ("function", "builtin_function_or_method")


def test_a_vllm_without_that_module_is_left_alone(tmp_path: Path) -> None:
    program = "from tidegate_worker.reclaimable import prepare_memory; print(prepare_memory()['pageCache'])"
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm/__init__.py").write_text("__version__ = '0.32.0'\n")
    where = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{WORKER_IMAGE}"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=where, text=True, capture_output=True, timeout=120, check=True
    )
    assert done.stdout.startswith("counted as used: vLLM has no vllm.utils.cpu_resource_utils here: ")
