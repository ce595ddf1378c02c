"""How an image is made: a base system, folders that a command fills, single files, a configuration."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.disk import need_disk
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.archive import Image, ImageConfig
from tidegate.devcluster.images.base import BaseSystem, python_version
from tidegate.devcluster.images.cache import Made, make_once
from tidegate.devcluster.images.digests import Digests
from tidegate.devcluster.images.layers import FilesLayer, Layer, TreeLayer, hash_of, hash_of_tree
from tidegate.devcluster.layout import Cache
from tidegate.devcluster.progress import Progress

SITE_PACKAGES = "usr/local/lib/python{version}/dist-packages"  # where Debian's Python looks for more
TARGET = "{target}"  # stands for the folder to fill, in a command
LARGE_GIB = 2.0  # of a larger folder only the newest is kept
LONGEST = 3600.0  # seconds; vLLM takes two minutes


@dataclass(frozen=True)
class Filled:
    """A folder of the image that a command fills. It is filled anew when command or inputs change."""

    place: str  # in the image
    command: Sequence[str]
    inputs: Sequence[Path]  # files and folders
    about: str
    gib: float = 0.5  # free disk that is needed
    python: bool = True  # compile the Python in it


@dataclass(frozen=True)
class Files:
    """Single files and folders of this machine: place in the image → source."""

    sources: Mapping[str, Path]


@dataclass(frozen=True)
class Recipe:
    """Everything about one image."""

    name: str
    base: BaseSystem
    parts: Sequence[Filled | Files]
    config: ImageConfig = field(default_factory=lambda: ImageConfig([]))


@dataclass(frozen=True)
class Kitchen:
    """Makes images of recipes."""

    runner: Runner
    cache: Cache
    progress: Progress

    def make(self, recipe: Recipe) -> Image:
        """The image; only what changed is made anew."""
        layers: list[Layer] = [self.make_base(recipe)]
        for part in recipe.parts:
            layers += [self._filled(recipe.name, part)] if isinstance(part, Filled) else _layers_of(part)
        return Image(recipe.name, layers, recipe.config)

    def make_base(self, recipe: Recipe) -> Layer:
        """Makes the base system of a recipe."""
        return self._measured(recipe.base.layer(self.runner, self.cache, self.progress))

    def make_folders(self, recipe: Recipe) -> None:
        """Makes the folders of a recipe, for which no base system is needed."""
        for part in recipe.parts:
            if isinstance(part, Filled):
                self._filled(recipe.name, part)

    def missing_gib(self, recipe: Recipe) -> float:
        """Free disk that the folders which are still to be made will need."""
        parts = [part for part in recipe.parts if isinstance(part, Filled)]
        return sum(part.gib for part in parts if not _made(recipe.name, part).path(self.cache).exists())

    def _filled(self, image: str, part: Filled) -> Layer:
        made = _made(image, part)
        folder = make_once(self.cache, self.progress, made, lambda path: self._fill(part, path))
        return self._measured(TreeLayer(folder, part.place, made.key))

    def _measured(self, layer: Layer) -> Layer:
        Digests(self.cache.digests).of(layer)  # now, while others compile, rather than when it is wanted
        return layer

    def _fill(self, part: Filled, folder: Path) -> None:
        folder.mkdir(parents=True)
        need_disk(folder, part.gib, part.about)
        self.runner.run([word.replace(TARGET, str(folder)) for word in part.command], timeout=LONGEST)
        if part.python:
            compile_python(self.runner, folder, part.place)


def site_packages() -> str:
    """Where packages lie in an image."""
    return SITE_PACKAGES.format(version=python_version())


def compile_python(runner: Runner, folder: Path, place: str) -> None:
    """Compiles what is in a folder as if it lay at `place`. The images are read-only: nobody could later.

    Unchecked: the sources of an image never change, and their times are not kept.
    """
    names = ["-s", str(folder), "-p", f"/{place}"]
    options = ["-q", "-j", "0", *names, "--invalidation-mode", "unchecked-hash"]
    command = [sys.executable, "-m", "compileall", *options, str(folder)]
    runner.run(command, timeout=LONGEST, check=False)  # some packages carry templates, which are no Python


def pip_command(requirements: Path) -> list[str]:
    """The command that installs locked requirements into a folder: uv where it is there, else pip."""
    uv = Path(sys.executable).with_name("uv")
    found = str(uv) if os.access(uv, os.X_OK) else shutil.which("uv")
    checks = ["--require-hashes", "--only-binary", ":all:"]
    common = ["--quiet", *checks, "--target", TARGET, "-r", str(requirements)]
    if found:
        return [found, "pip", "install", "--python", sys.executable, *common]
    return [sys.executable, "-m", "pip", "install", "--no-compile", "--no-deps", *common]


def _made(image: str, part: Filled) -> Made:
    group = hashlib.sha256(f"{image} {part.place}".encode()).hexdigest()[:12]
    name = image.rpartition("/")[2].partition(":")[0]
    return Made(f"{name}-{group}", _key(part), part.about, keep=1 if part.gib > LARGE_GIB else 3)


def _key(part: Filled) -> str:
    content = [
        f"{path.name} {hash_of_tree(path) if path.is_dir() else hash_of(path)}" for path in part.inputs
    ]
    words = [Path(word).name if word.startswith("/") else word for word in part.command]  # of any checkout
    parts = [*words, part.place, python_version(), str(part.python), *content]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _layers_of(part: Files) -> list[Layer]:
    files = {name: file for place, source in part.sources.items() for name, file in _found(place, source)}
    programs = frozenset(name for name, file in files.items() if os.access(file, os.X_OK))
    return [FilesLayer(files, programs)] if files else []


def _found(place: str, source: Path) -> Iterator[tuple[str, Path]]:
    """The files of a source by their names in the image; bytecode of this machine is none of them."""
    if not source.exists():
        raise ClusterError(f"{source} is missing: the image needs it at /{place}")
    if not source.is_dir():
        yield place, source
        return
    for file in sorted(source.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield f"{place}/{file.relative_to(source)}", file
