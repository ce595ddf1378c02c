"""The parts of the step that fills a cache which need no server."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.worker.conftest import WORKER_IMAGE
from tidegate_cache.causes import FillError, named, named_of_pod
from tidegate_cache.locks import held, held_if_free
from tidegate_cache.remote import RemoteFile, safe_path
from tidegate_cache.sigv4 import Keys, signed
from tidegate_cache.wanted import wanted
from tidegate_worker.lease import keep_lease

DAY = 86_400.0


def chosen(*paths: str, every_format: bool = False) -> set[str]:
    files = [RemoteFile(path, 1, "") for path in paths]
    return {file.path for file in wanted(files, every_format=every_format)}


def test_pickled_weights_are_left_out_where_there_are_safe_ones_and_taken_where_there_are_none() -> None:
    assert chosen("config.json", "model.safetensors", "pytorch_model.bin", "a.pth") == {
        "config.json",
        "model.safetensors",
    }
    assert chosen("config.json", "pytorch_model.bin") == {"config.json", "pytorch_model.bin"}


def test_each_folder_has_its_own_form_of_weights() -> None:
    """A module of sentence-transformers whose weights are missing gives wrong vectors and no error."""
    kept = {"model.safetensors", "2_Dense/pytorch_model.bin", "2_Dense/config.json", "3_Dense/a.safetensors"}
    left = {"pytorch_model.bin", "3_Dense/pytorch_model.bin", "step-9/optimizer.pt", "step-9/rng_state.pth"}
    assert chosen(*kept, *left) == kept


def test_of_two_forms_of_mistrals_weights_the_one_is_taken_that_vllm_takes() -> None:
    others = ("model-1.safetensors", "model.safetensors.index.json")
    taken = ("params.json", "config.json", "consolidated.safetensors", "consolidated.safetensors.index.json")
    assert chosen(*others, *taken) == set(taken)
    assert chosen("config.json", *others) == {"config.json", *others}
    assert chosen(*others, *taken, every_format=True) == {*others, *taken}


def test_what_lies_in_folders_stays_but_for_other_programs_weights() -> None:
    kept = {"1_Pooling/config.json", "2_Dense/model.safetensors", "model.safetensors"}
    left = {"onnx/model.onnx", "original/params.json", ".git/x", "a/.hidden", "model.gguf", "tf_model.h5"}
    assert chosen(*kept, *left) == kept


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a\\b", "a\0"])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(FillError):
        safe_path(path)


def test_a_signature_is_the_one_of_amazons_own_example() -> None:
    """List objects, in the documentation of Signature Version 4 for S3."""
    keys = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "us-east-1")
    headers = signed("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", keys, 1_369_353_600.0)
    assert headers["authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "CacheFull"),
        (errno.EDQUOT, "CacheFull"),
        (errno.EACCES, "CacheNotWritable"),
        (errno.EROFS, "CacheNotWritable"),
        (errno.EIO, "CacheNotWritable"),
    ],
)
def test_what_a_volume_says_is_named_with_the_volume(number: int, reason: str) -> None:
    with pytest.raises(FillError, match="the claim a") as raised, named("the claim a"):
        raise OSError(number, os.strerror(number), "/cache/models")
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("number", "reason", "advice"),
    [
        (errno.ENOSPC, "NoSpaceLeft", "make room in the volume"),
        (errno.EROFS, "NotWritable", "name another folder"),
    ],
)
def test_a_folder_of_the_pods_own_is_told_in_the_engines_words_not_in_the_caches(
    number: int, reason: str, advice: str
) -> None:
    with pytest.raises(FillError) as raised, named("the claim a"), named_of_pod("/scratch/cached"):
        raise OSError(number, os.strerror(number))
    assert str(raised.value).startswith("/scratch/cached cannot be written by user ")
    assert raised.value.reason == reason
    assert advice in str(raised.value)


def test_a_lock_is_one_holders_and_a_dead_one_never_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    script = (
        f"import sys; sys.path.insert(0, {str(WORKER_IMAGE)!r}); from tidegate_cache.locks import held\n"
        f"from pathlib import Path\n"
        f"with held(Path({str(file)!r}), lambda: None): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with held_if_free(file) as free:
            assert not free
    finally:
        holder.kill()
        holder.communicate(timeout=60)
    waits: list[None] = []
    with held(file, lambda: waits.append(None)):
        assert waits == []


def test_a_worker_keeps_its_models_lease_and_no_other(tmp_path: Path) -> None:
    model, leases = tmp_path / "models" / "key", tmp_path / "leases"
    model.mkdir(parents=True)
    leases.mkdir()
    link = tmp_path / "link"
    link.symlink_to(model)
    for name in ("key", "other"):
        (leases / name).touch()
        os.utime(leases / name, (1, 1))
    done = keep_lease(link, leases, every=0.01)
    assert done is not None
    try:
        deadline = time.monotonic() + 60
        while (leases / "key").stat().st_mtime < DAY:
            assert time.monotonic() < deadline, "the lease was never touched"
            time.sleep(0.01)
    finally:
        done.set()
    assert (leases / "other").stat().st_mtime == 1


def test_where_there_is_no_cache_there_is_no_lease_to_keep(tmp_path: Path) -> None:
    assert keep_lease(tmp_path, tmp_path / "none") is None
    assert keep_lease(None, tmp_path) is None
    assert keep_lease(tmp_path / "model-elsewhere", tmp_path) is None


def test_a_model_that_cannot_be_looked_up_has_no_lease_and_ends_no_worker(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert keep_lease(tmp_path / "circle", tmp_path) is None
    assert keep_lease(tmp_path / ("long" * 100), tmp_path) is None
