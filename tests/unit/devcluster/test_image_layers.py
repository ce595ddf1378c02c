"""Layers and archives: exact sizes before the first byte, the same bytes every time, readable by anyone."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from tidegate.devcluster.images.archive import Image, ImageConfig, blobs_of, measure, write_archive
from tidegate.devcluster.images.digests import Digests
from tidegate.devcluster.images.layers import (
    BLOCK,
    Content,
    FilesLayer,
    Layer,
    LinkTo,
    TarLayer,
    TreeLayer,
    Writer,
    hash_of_tree,
)
from tidegate.devcluster.images.store import nameless


def written(layer: Layer) -> bytes:
    out = io.BytesIO()
    layer.write(out)
    return out.getvalue()


def opened(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(data))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "package" / "inner").mkdir(parents=True)
    (folder / "package" / "module.py").write_text("x = 1\n")
    (folder / "package" / "inner" / ("n" * 150)).write_bytes(b"long name")
    (folder / "package" / "exact").write_bytes(b"b" * BLOCK)
    (folder / "package" / "empty").touch()
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "script").chmod(0o700)
    (folder / "link").symlink_to("package/module.py")
    return folder


def test_a_tree_is_exactly_as_large_as_measured(tree: Path) -> None:
    layer = TreeLayer(tree, "usr/lib/x", "1")
    assert measure(layer)[1] == len(written(layer))
    assert len(written(layer)) % BLOCK == 0


def test_a_tree_arrives_whole_and_belongs_to_root(tree: Path) -> None:
    tar = opened(written(TreeLayer(tree, "/usr/lib/x/", "1")))
    names = tar.getnames()
    assert names[:3] == ["usr", "usr/lib", "usr/lib/x"]
    assert f"usr/lib/x/package/inner/{'n' * 150}" in names
    assert tar.getmember("usr/lib/x/script").mode == 0o755
    assert tar.getmember("usr/lib/x/package/module.py").mode == 0o644
    assert tar.getmember("usr/lib/x/link").linkname == "package/module.py"
    assert {(entry.uid, entry.gid, entry.mtime) for entry in tar} == {(0, 0, 0)}
    module = tar.extractfile("usr/lib/x/package/module.py")
    assert module is not None
    assert module.read() == b"x = 1\n"


def test_the_same_tree_gives_the_same_bytes_whenever_it_was_written(tree: Path) -> None:
    before = written(TreeLayer(tree, "x", "1"))
    (tree / "package" / "module.py").write_text("x = 1\n")
    assert written(TreeLayer(tree, "x", "1")) == before


def test_the_hash_of_a_tree_tells_content_names_and_modes_apart(tree: Path) -> None:
    first = hash_of_tree(tree)
    (tree / "script").chmod(0o600)
    second = hash_of_tree(tree)
    (tree / "script").rename(tree / "scrapt")
    third = hash_of_tree(tree)
    (tree / "package" / "module.py").write_text("x = 2\n")
    assert len({first, second, third, hash_of_tree(tree)}) == 4


def test_bytecode_changes_no_hash(tree: Path) -> None:
    before = hash_of_tree(tree)
    (tree / "package" / "__pycache__").mkdir()
    (tree / "package" / "__pycache__" / "module.pyc").write_bytes(b"1")
    assert hash_of_tree(tree) == before


def test_single_files_bring_their_folders_modes_and_links(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"12345")
    files: dict[str, Content] = {
        "opt/a/run": tmp_path / "source",
        "opt/note": b"hello",
        "bin/sh": LinkTo("busybox"),
    }
    layer = FilesLayer(files, frozenset({"opt/a/run"}), {"tmp": 0o1777})
    tar = opened(written(layer))
    assert tar.getnames() == ["bin", "opt", "opt/a", "tmp", "bin/sh", "opt/a/run", "opt/note"]
    assert tar.getmember("tmp").mode == 0o1777
    assert tar.getmember("opt/a/run").mode == 0o755
    assert tar.getmember("bin/sh").linkname == "busybox"


def test_single_files_have_another_identity_when_content_name_or_mode_change() -> None:
    layers = [
        FilesLayer({"a": b"1"}),
        FilesLayer({"a": b"2"}),
        FilesLayer({"b": b"1"}),
        FilesLayer({"a": b"1"}, frozenset({"a"})),
        FilesLayer({"a": LinkTo("1")}),
    ]
    assert len({layer.identity for layer in layers}) == len(layers)


def image(*layers: Layer) -> Image:
    config = ImageConfig(["/run"], env={"A": "b"}, user="1000:1000")
    return Image("tidegate.local/x:dev", layers, config)


def archive_of(made: Image, known: Collection[str] = ()) -> tarfile.TarFile:
    out = io.BytesIO()
    write_archive(made.name, blobs_of(made), known, out)
    return opened(out.getvalue())


def read(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    assert member is not None
    return member.read()


def blob(tar: tarfile.TarFile, reference: dict[str, Any]) -> bytes:
    """What a reference means; its digest and its size are true."""
    content = read(tar, "blobs/sha256/" + reference["digest"].removeprefix("sha256:"))
    assert hashlib.sha256(content).hexdigest() == reference["digest"].removeprefix("sha256:")
    assert len(content) == reference["size"]
    return content


def manifest_of(tar: tarfile.TarFile) -> dict[str, Any]:
    (reference,) = json.loads(read(tar, "index.json"))["manifests"]
    assert reference["annotations"] == {"io.containerd.image.name": "tidegate.local/x:dev"}
    manifest: dict[str, Any] = json.loads(blob(tar, reference))
    return manifest


def test_an_archive_holds_each_piece_under_its_true_digest(tree: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.tar"
    base.write_bytes(written(FilesLayer({"etc/os": b"debian"})))
    tar = archive_of(image(TarLayer(base, "base"), TreeLayer(tree, "x", "tree")))
    manifest = manifest_of(tar)
    config = json.loads(blob(tar, manifest["config"]))
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    assert "x/package/module.py" in opened(blob(tar, manifest["layers"][1])).getnames()


def test_an_archive_leaves_out_what_the_other_side_has(tree: Path) -> None:
    layer = TreeLayer(tree, "x", "1")
    tar = archive_of(image(layer), known={measure(layer)[0]})
    assert "blobs/sha256/" + measure(layer)[0].removeprefix("sha256:") not in tar.getnames()
    assert manifest_of(tar)["layers"][0]["digest"] == measure(layer)[0]


def test_an_archive_says_how_a_container_starts(tree: Path) -> None:
    tar = archive_of(image(TreeLayer(tree, "x", "1")))
    config = json.loads(blob(tar, manifest_of(tar)["config"]))["config"]
    assert config["Entrypoint"] == ["/run"]
    assert config["User"] == "1000:1000"
    assert "A=b" in config["Env"]
    assert any(entry.startswith("PATH=") for entry in config["Env"])


def test_a_layer_that_changes_while_it_is_written_is_an_error_not_a_broken_archive(tree: Path) -> None:
    made = image(TreeLayer(tree, "x", "1"))
    blobs = blobs_of(made)
    (tree / "package" / "module.py").write_text("x = 1\n" * BLOCK)
    with pytest.raises(RuntimeError, match="changed while it was written"):
        write_archive(made.name, blobs, (), io.BytesIO())


def test_an_image_has_another_identity_when_a_layer_or_its_start_changes(tree: Path) -> None:
    one = image(TreeLayer(tree, "x", "1"))
    other_layer = image(TreeLayer(tree, "x", "2"))
    other_start = Image(one.name, one.layers, ImageConfig(["/other"]))
    assert len({one.identity, other_layer.identity, other_start.identity}) == 3


def test_a_digest_is_read_from_the_layer_once(tmp_path: Path) -> None:
    class Counted(FilesLayer):
        writes = 0

        def write(self, out: Writer) -> None:
            Counted.writes += 1
            super().write(out)

    digests, layer = Digests(tmp_path / "digests.json"), Counted({"a": b"1"})
    assert digests.of(layer) == digests.of(layer) == measure(FilesLayer({"a": b"1"}))
    assert Counted.writes == 1
    assert digests.of(Counted({"a": b"2"})) != digests.of(layer)


def test_images_that_lost_their_name_to_a_newer_one_are_found() -> None:
    images = {"tidegate.local/x:dev": "new", "sha256:11": "new", "sha256:22": "old"}
    assert nameless(images) == ["sha256:22"]


def test_a_layer_that_was_made_anew_is_measured_anew(tree: Path, tmp_path: Path) -> None:
    digests = Digests(tmp_path / "digests.json")
    before = digests.of(TreeLayer(tree, "x", "the same key"))
    tree.rename(tmp_path / "old")
    tree.mkdir()
    assert digests.of(TreeLayer(tree, "x", "the same key")) != before
