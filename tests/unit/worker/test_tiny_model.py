"""The tiny chat model: the same bytes everywhere, and every file consistent with the others."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from make_tiny_model import Shape, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("models") / "tiny-chat")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    again, other = make(tmp_path / "again"), make(tmp_path / "other", seed=8)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert (other / "model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes()


def test_every_merge_joins_two_known_tokens_into_a_known_one(folder: Path) -> None:
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    vocabulary = model["vocab"]
    assert len(vocabulary) == Shape().vocabulary
    assert all({left, right, left + right} <= vocabulary.keys() for left, right in model["merges"])


def test_the_tensors_fill_the_file_without_gap_and_fit_the_configuration(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    del header["__metadata__"]
    config = json.loads((folder / "config.json").read_text())
    assert header["lm_head.weight"]["shape"] == [config["vocab_size"], config["hidden_size"]]
    ends = [0]
    for tensor in header.values():
        first, last = tensor["data_offsets"]
        size = 2  # bytes of a bfloat16
        for extent in tensor["shape"]:
            size *= extent
        assert (first, last - first) == (ends[-1], size)
        ends.append(last)
    assert len(data) == 8 + length + ends[-1]


def test_a_head_is_large_enough_for_the_cpu_kernels(folder: Path) -> None:
    assert Shape().head >= 32
