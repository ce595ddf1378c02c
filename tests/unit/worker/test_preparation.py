"""What a worker that no cgroup limits gives itself, and what several of one user share."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.unit.worker.test_arguments import model
from tidegate_worker import preparation
from tidegate_worker.arguments import GIB, Arguments, cache_bytes
from tidegate_worker.cores import read_share
from tidegate_worker.preparation import MODEL_INFOS, make_home, prepare, seed_model_infos

# A layer of this shape takes so much for each token that the memory decides, and not what is of use.
WIDE = {
    "num_hidden_layers": 64,
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "hidden_size": 8192,
    "max_position_embeddings": 8192,
}


def test_the_cache_of_keys_and_values_fits_the_memory_that_the_worker_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "built_for_cpu", lambda: True)
    if (read_share().memory or 3 * GIB) < 3 * GIB:
        pytest.skip("a cgroup limits this process to less than what is told here")
    words = Arguments(("--model", str(model(tmp_path / "m", WIDE))))
    environment = {"HOME": str(tmp_path), "TIDEGATE_MEMORY_BYTES": str(3 * GIB)}
    size = cache_bytes(words, 3 * GIB)
    assert f"--kv-cache-memory-bytes={size}" in prepare(words, environment)
    assert size == int((3 - 1.75) * 0.75 * GIB)


def test_what_was_found_out_of_the_models_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several workers of one user fill one folder at once: each moves a file there that is finished."""
    built, infos = tmp_path / "packages" / MODEL_INFOS, tmp_path / "home" / ".cache" / "vllm" / "modelinfos"
    built.mkdir(parents=True)
    (built / "llama.json").write_text("{}")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages")])
    moved: list[tuple[str, str]] = []
    plain = Path.replace

    def replace(part: Path, place: Path) -> Path:
        moved.append((part.read_text(), place.name))
        assert _names(infos) == {part.name}
        return plain(part, place)

    monkeypatch.setattr(Path, "replace", replace)
    environment = {"HOME": str(tmp_path / "home")}
    seed_model_infos(environment)
    seed_model_infos(environment)
    assert (moved, _names(infos)) == ([("{}", "llama.json")], {"llama.json"})


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("VLLM_CACHE_ROOT", "modelinfos"),
        ("XDG_CACHE_HOME", "vllm/modelinfos"),
        ("", ".cache/vllm/modelinfos"),
    ],
)
def test_it_is_put_where_vllm_looks_for_it(
    variable: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, given = tmp_path / "packages" / MODEL_INFOS, tmp_path / "given"
    built.mkdir(parents=True)
    (built / "llama.json").write_text("{}")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages")])
    environment = {"HOME": str(given if not variable else tmp_path)}
    seed_model_infos(environment | ({variable: str(given)} if variable else {}))
    assert _names(given / place) == {"llama.json"}


@pytest.mark.parametrize("given", [{}, {"HOME": ""}])
def test_without_a_home_the_folder_for_temporary_files_is_one(given: dict[str, str], tmp_path: Path) -> None:
    environment = {**given, "TMPDIR": str(tmp_path)}
    make_home(environment)
    assert environment["HOME"] == str(tmp_path)


def _names(folder: Path) -> set[str]:
    found: Iterable[Path] = folder.iterdir()
    return {path.name for path in found}
