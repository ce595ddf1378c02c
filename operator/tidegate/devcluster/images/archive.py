"""An image as a docker-archive, in one pass: first the layers, then the descriptions with their digests."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from tidegate.devcluster.debian import SYSTEM_PATH
from tidegate.devcluster.images.layers import BLOCK, END, Layer, Writer
from tidegate.devcluster.tools import architecture


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


class _Hashing:
    """Passes bytes on, counts and hashes them."""

    def __init__(self, out: Writer) -> None:
        self._out, self._digest, self.written = out, hashlib.sha256(), 0

    def write(self, data: bytes, /) -> int:
        self._digest.update(data)
        self.written += len(data)
        return self._out.write(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def write_archive(image: Image, out: Writer) -> None:
    """Writes the image to a stream."""
    digests = [_write_layer(index, layer, out) for index, layer in enumerate(image.layers)]
    description = json.dumps(_description(image.config, digests)).encode()
    name = f"{hashlib.sha256(description).hexdigest()}.json"
    layers = [_layer_name(index) for index in range(len(digests))]
    manifest = [{"Config": name, "RepoTags": [image.name], "Layers": layers}]
    for file, content in ((name, description), ("manifest.json", json.dumps(manifest).encode())):
        _write_entry(file, len(content), out)
        out.write(content + bytes(-len(content) % BLOCK))
    out.write(bytes(END))


def archive(image: Image) -> bytes:
    """A small image as one piece."""
    out = BytesIO()
    write_archive(image, out)
    return out.getvalue()


def _write_layer(index: int, layer: Layer, out: Writer) -> str:
    size = layer.size()
    _write_entry(_layer_name(index), size, out)
    hashing = _Hashing(out)
    layer.write(hashing)
    if hashing.written != size:
        raise RuntimeError(
            f"a file changed while its layer was written ({hashing.written} bytes, not {size})"
        )
    out.write(bytes(-size % BLOCK))
    return hashing.hexdigest()


def _layer_name(index: int) -> str:
    return f"{index}/layer.tar"


def _write_entry(name: str, size: int, out: Writer) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    out.write(entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))


def _description(config: ImageConfig, digests: Sequence[str]) -> dict[str, object]:
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
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }
