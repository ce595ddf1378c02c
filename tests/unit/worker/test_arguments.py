"""The command line that comes in and what the worker adds to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tidegate_worker.arguments import GIB, MIB, Arguments, added, cache_bytes

SMALL = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 128,
    "max_position_embeddings": 8192,
}


def given(*words: str) -> Arguments:
    return Arguments(words)


def model(folder: Path, config: Mapping[str, int], weights: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(weights)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("--max-num-seqs", "8"),
        ("--max-num-seqs=8",),
        ("--max_num_seqs=8",),
        ("--max-num-seqs", "4", "--max-num-seqs", "8"),
    ],
)
def test_an_option_is_read_in_every_spelling_and_the_last_one_counts(words: tuple[str, ...]) -> None:
    assert given(*words).value("--max-num-seqs") == "8"


def test_a_number_that_is_none_is_left_for_the_engine_to_complain_about() -> None:
    assert given("--max-num-seqs", "many").number("--max-num-seqs", default=128) == 128


def test_the_cache_takes_three_quarters_of_what_program_and_weights_leave(tmp_path: Path) -> None:
    words = given("--model", str(model(tmp_path / "m", {}, weights=5 * GIB)))
    assert cache_bytes(words, 16 * GIB) == int((16 - 1.75 - 6) * 0.75 * GIB)


def test_each_of_several_workers_takes_its_part_of_the_cache(tmp_path: Path) -> None:
    folder = str(model(tmp_path / "m", {}, weights=4 * GIB))
    for words in (("-tp", "2"), ("-tp", "1", "-pp=2"), ("--data-parallel-size", "2")):
        assert given(*words).workers == 2
        whole = int((16 - 1.75 - 0.625 - 4.8) * 0.75 * GIB)
        assert cache_bytes(given("--model", folder, *words), 16 * GIB) == whole // 2
    assert given("-dp", "8", "-dpl", "2", "-tp", "2").workers == 4


def test_the_cache_is_no_larger_than_twice_what_the_model_can_use(tmp_path: Path) -> None:
    # 2 (keys, values) * 2 layers * 2 heads * 32 numbers * 4 bytes * 8192 tokens * 32 sequences
    words = given("--model", str(model(tmp_path / "m", SMALL)), "--max-num-seqs", "32")
    assert cache_bytes(words, 16 * GIB) == 2 * (2 * 2 * 2 * 32 * 4 * 8192 * 32)


def test_the_cache_is_never_too_small_to_begin_with(tmp_path: Path) -> None:
    assert cache_bytes(given("--model", str(model(tmp_path / "m", {}))), 1 * GIB) == 256 * MIB


def test_a_model_that_is_still_on_the_hub_leaves_the_size_to_the_engine() -> None:
    assert cache_bytes(given("--model", "Qwen/Qwen2.5-7B-Instruct"), 16 * GIB) is None


def test_options_that_were_given_are_not_added_again() -> None:
    words = given("--shutdown-timeout=5", "--kv-cache-memory-bytes", "1G", "--enforce-eager")
    assert added(words, 7, compiler=False, drain_seconds=300) == ["--middleware=tidegate_worker.drain.Drain"]


def test_without_a_compiler_the_engine_is_told_not_to_compile() -> None:
    assert "--enforce-eager" in added(given(), None, compiler=False, drain_seconds=300)
    assert "--enforce-eager" not in added(given(), None, compiler=True, drain_seconds=300)


def test_the_engine_drains_as_long_as_asked_for() -> None:
    assert "--shutdown-timeout=45" in added(given(), None, compiler=True, drain_seconds=45)
