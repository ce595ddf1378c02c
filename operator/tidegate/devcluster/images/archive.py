"""An image as an OCI archive that holds only what the other side lacks."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.devcluster.debian import SYSTEM_PATH
from tidegate.devcluster.images.layers import BLOCK, END, Layer, Writer
from tidegate.devcluster.tools import architecture

OCI = "application/vnd.oci.image"
NAME = "io.containerd.image.name"


@dataclass(frozen=True)
class ImageConfig:
    """How a container of the image starts."""

    entrypoint: Sequence[str]
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""  # numeric, so that a kubelet can tell that it is not root
    folder: str = "/"


@dataclass(frozen=True)
class Image:
    """A name, layers from the bottom up, and a configuration."""

    name: str
    layers: Sequence[Layer]
    config: ImageConfig

    @property
    def identity(self) -> str:
        """A hash of all that the image is made of."""
        parts = [self.name, repr(self.config), *(layer.identity for layer in self.layers)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Blob:
    """A piece of an image under its digest."""

    digest: str  # sha256:…
    size: int
    kind: str
    write: Callable[[Writer], object]

    def described(self) -> dict[str, object]:
        """The reference to it."""
        return {"mediaType": f"{OCI}.{self.kind}", "digest": self.digest, "size": self.size}


@dataclass
class _Digest:
    """Takes bytes and keeps only their hash and number."""

    hash: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def write(self, data: bytes, /) -> int:
        self.hash.update(data)
        self.size += len(data)
        return len(data)


def measure(layer: Layer) -> tuple[str, int]:
    """A layer's digest and its size in bytes; reads the whole layer."""
    out = _Digest()
    layer.write(out)
    return f"sha256:{out.hash.hexdigest()}", out.size


def blobs_of(image: Image, measured: Callable[[Layer], tuple[str, int]] = measure) -> list[Blob]:
    """The layers, the configuration, and last the manifest."""
    layers = [Blob(*measured(layer), "layer.v1.tar", layer.write) for layer in image.layers]
    config = _document(_configuration(image.config, [layer.digest for layer in layers]), "config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": config.described(),
        "layers": [layer.described() for layer in layers],
    }
    return [*layers, config, _document(manifest, "manifest.v1+json")]


def write_archive(name: str, blobs: Sequence[Blob], known: Collection[str], out: Writer) -> None:
    """Writes an image to a stream, without the blobs whose digests are `known` on the other side."""
    for blob in _once(blobs):
        if blob.digest not in known:
            _write_blob(blob, out)
    index = {"schemaVersion": 2, "manifests": [{**blobs[-1].described(), "annotations": {NAME: name}}]}
    _write_file("index.json", json.dumps(index).encode(), out)
    _write_file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}', out)
    out.write(bytes(END))


def _once(blobs: Sequence[Blob]) -> Iterator[Blob]:
    yield from {blob.digest: blob for blob in blobs}.values()


def _write_blob(blob: Blob, out: Writer) -> None:
    _write_header(f"blobs/sha256/{blob.digest.removeprefix('sha256:')}", blob.size, out)
    counted = _Counting(out)
    blob.write(counted)
    if counted.size != blob.size:
        raise RuntimeError(f"a layer changed while it was written: {counted.size} bytes, not {blob.size}")
    out.write(bytes(-blob.size % BLOCK))


@dataclass
class _Counting:
    """Passes bytes on and counts them."""

    out: Writer
    size: int = 0

    def write(self, data: bytes, /) -> int:
        self.size += len(data)
        return self.out.write(data)


def _write_file(name: str, content: bytes, out: Writer) -> None:
    _write_header(name, len(content), out)
    out.write(content + bytes(-len(content) % BLOCK))


def _write_header(name: str, size: int, out: Writer) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    out.write(entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))


def _document(content: Mapping[str, object], kind: str) -> Blob:
    data = json.dumps(content).encode()
    return Blob(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), kind, lambda out: out.write(data))


def _configuration(config: ImageConfig, digests: Sequence[str]) -> dict[str, object]:
    return {
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": list(config.entrypoint),
            "Cmd": list(config.command),
            "Env": [f"{name}={value}" for name, value in {"PATH": SYSTEM_PATH, **config.env}.items()],
            "User": config.user,
            "WorkingDir": config.folder,
        },
        "rootfs": {"type": "layers", "diff_ids": list(digests)},
    }
