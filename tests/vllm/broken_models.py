"""Copies of a whole model with one thing wrong each, as people have them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

WEIGHTS = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")


def change_config(folder: Path, **changes: Any) -> None:
    """The same model with other values in its config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def cut_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"architectures": [')


def cut_weights(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, 500_000)


def git_lfs_pointer(folder: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 1300000\n"
    (folder / WEIGHTS).write_text(text)


def lost_shard(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "model-00001-of-00002.safetensors")
    names = {"first": "model-00001-of-00002.safetensors", "second": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def no_tokenizer(folder: Path) -> None:
    for name in TOKENIZER_FILES:
        (folder / name).unlink(missing_ok=True)


def cut_tokenizer(folder: Path) -> None:
    os.truncate(folder / "tokenizer.json", 100)
