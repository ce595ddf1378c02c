"""A model's folder that is not whole is named before vLLM is imported, with the file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate_worker.arguments import Arguments
from tidegate_worker.failure import Failure
from tidegate_worker.model_files import broken_file, check_model

TENSOR = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
HEADER = json.dumps({"__metadata__": {"format": "pt"}, "a": TENSOR}).encode()
WHOLE = 8 + len(HEADER) + 16  # bytes of a file that is whole


def weights(file: Path, data: int = 16) -> Path:
    """A file of safetensors with one tensor of 16 bytes, of which so many are there."""
    file.write_bytes(struct.pack("<Q", len(HEADER)) + HEADER + bytes(data))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that is whole."""
    folder = tmp_path / "qwen"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    weights(folder / "model.safetensors")
    return folder


def check(path: Path | str, *words: str) -> Failure | None:
    return check_model(Arguments(("--model", str(path), *words)))


def test_a_whole_model_may_be_tried(folder: Path) -> None:
    assert check(folder) is None
    assert broken_file(folder) is None


def test_a_missing_local_model_is_named_with_what_is_there_instead(folder: Path) -> None:
    missing = folder.with_name("qwne")
    failure = check(missing)
    assert failure is not None
    assert failure.reason == "ModelNotFound"
    assert failure.message == f"{missing} does not exist in the worker; {folder.parent} holds qwen"


def test_a_folder_without_a_model_in_it_is_named(tmp_path: Path) -> None:
    failure = check(tmp_path)
    assert failure is not None
    assert failure.reason == "ModelNotFound"
    assert f"{tmp_path} has no config.json" in failure.message


def test_a_command_line_without_a_model_is_a_bad_argument() -> None:
    failure = check_model(Arguments(()))
    assert failure is not None
    assert failure.reason == "BadArgument"


def test_a_model_on_the_hub_is_left_to_the_engine() -> None:
    assert check("Qwen/Qwen2.5-7B-Instruct") is None


def cut(folder: Path) -> None:
    weights(folder / "model.safetensors", data=7)


def emptied(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def cut_in_the_header(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:30])


def pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"
    )


def damaged_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 4) + b"{{{{" + bytes(16))


def lost_shard(folder: Path) -> None:
    weights(folder / "model-1.safetensors")
    names = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def cut_shard(folder: Path) -> None:
    lost_shard(folder)
    weights(folder / "model-2.safetensors", data=15)


def listed_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": ["model.safetensors"]}')


def nested_config(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def cut_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"architectures": [')


def listed_config(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def lost_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def dangling_link(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("../../blobs/4665")


SAID: dict[Callable[[Path], None], str] = {
    cut: f"model.safetensors has {WHOLE - 9} bytes and should have {WHOLE}",
    emptied: "model.safetensors has 0 bytes and no whole header",
    cut_in_the_header: "model.safetensors has 30 bytes and no whole header",
    pointer: "model.safetensors is a pointer of Git LFS, not the weights",
    damaged_header: "model.safetensors has a damaged header",
    lost_shard: "lacks 1 of the 2 files in model.safetensors.index.json, such as model-2.safetensors",
    cut_shard: f"model-2.safetensors has {WHOLE - 1} bytes and should have {WHOLE}",
    dangling_link: "model.safetensors is a link to a file that is not there",
    listed_index: "model.safetensors.index.json has a weight_map that is no object",
    nested_config: "config.json is not JSON: maximum recursion depth",
    cut_config: "config.json is not JSON: Expecting value: line 1",
    listed_config: "config.json holds no object",
    lost_tokenizer: "has no tokenizer (tokenizer.json, tokenizer.model, vocab.json or the like)",
}


@pytest.mark.parametrize("damage", SAID, ids=lambda damage: str(damage.__name__))
def test_what_is_wrong_with_a_model_is_said_of_the_file(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    failure = check(folder)
    assert failure is not None
    assert failure.reason == "InvalidModel"
    assert SAID[damage] in failure.message
    assert str(folder) in failure.message


@pytest.mark.parametrize("words", [("--load-format", "dummy"), ("--load-format=gguf",)])
def test_weights_that_are_not_read_may_be_as_they_are(folder: Path, words: tuple[str, ...]) -> None:
    cut(folder)
    assert check(folder, *words) is None


@pytest.mark.parametrize(
    "words", [("--tokenizer", "other/one"), ("--skip-tokenizer-init",), ("--tokens-only",)]
)
def test_a_tokenizer_from_elsewhere_or_none_at_all_may_be_asked_for(
    folder: Path, words: tuple[str, ...]
) -> None:
    lost_tokenizer(folder)
    assert check(folder, *words) is None


def test_files_beside_those_that_the_index_names_do_not_matter(folder: Path) -> None:
    cut(folder)
    weights(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    assert check(folder) is None


def test_after_a_failure_every_json_file_is_looked_at(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"cut')
    assert check(folder) is None
    said = broken_file(folder)
    assert said is not None
    assert said.startswith(f"{folder / 'tokenizer.json'} is not JSON")


def test_a_model_that_the_worker_may_not_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    failure = check(folder)
    assert failure is not None
    assert failure.reason == "ModelForbidden"
    assert failure.message.startswith(f"{folder / 'config.json'} cannot be read by user")


def other_form(folder: Path) -> None:
    """Mistral's own files, and the list of a form whose files were left out."""
    (folder / "model.safetensors").unlink()
    weights(folder / "consolidated.safetensors")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')


def pickled(folder: Path) -> None:
    """Pickled weights, beside a list that nobody reads for them."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"any")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')


def hidden_remains(folder: Path) -> None:
    """What some file systems leave beside a file that was copied."""
    (folder / "._model.safetensors").write_bytes(b"attributes")


@pytest.mark.parametrize("change", [other_form, pickled, hidden_remains])
def test_what_vllm_would_not_read_does_not_matter(change: Callable[[Path], None], folder: Path) -> None:
    change(folder)
    assert check(folder) is None


def test_mistrals_own_files_are_looked_at_with_their_own_list(folder: Path) -> None:
    other_form(folder)
    listed = '{"weight_map": {"a": "consolidated-1.safetensors"}}'
    (folder / "consolidated.safetensors.index.json").write_text(listed)
    failure = check(folder)
    assert failure is not None
    assert "lacks 1 of the 1 files in consolidated.safetensors.index.json" in failure.message
    assert check(folder, "--load-format", "safetensors") is not None
