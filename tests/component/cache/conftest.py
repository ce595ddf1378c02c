"""A store of models on loopback, and fillers as the processes that they are in a pod."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.component.cache.store import Repository, Store, serving

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
DEADLINE = 90.0  # seconds; a filler takes less than one, a machine may be busy
QUICK = ("--pause-seconds", "0.05", "--tries", "3", "--silence-seconds", "30")

sys.path.insert(0, str(WORKER_IMAGE))

MODEL = "acme/chat"
WEIGHTS = bytes(range(256)) * 12_000  # 3 MB
FILES = {
    "config.json": b'{"model_type": "acme"}',
    "tokenizer.json": b"[]" * 400,
    "model-1.safetensors": WEIGHTS,
    "model-2.safetensors": WEIGHTS[::-1],
    "pytorch_model.bin": b"pickled" * 1000,
    "original/consolidated.00.pth": b"twice" * 1000,
    "README.md": b"# chat",
    ".gitattributes": b"*",
}
NEEDED = ("config.json", "tokenizer.json", "model-1.safetensors", "model-2.safetensors")


@dataclass
class Filler:
    """One process that fills a cache."""

    process: subprocess.Popen[bytes]
    link: Path
    folder: Path

    def end(self) -> int:
        """Its exit code, within the deadline."""
        return self.process.wait(timeout=DEADLINE)

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return (self.folder / "output").read_text()

    @property
    def message(self) -> str:
        """The termination message."""
        file = self.folder / "message"
        return file.read_text() if file.exists() else ""

    def has_said(self, event: str) -> bool:
        """Whether a line of this event is there."""
        return f'{{"worker": "{event}"' in self.output


@dataclass
class Place:
    """A cache of one volume, and the store that its models come from."""

    folder: Path
    store: Store
    scratch: Path
    fillers: list[Filler] = field(default_factory=list)

    def start(
        self, *words: str, model: str = f"hf://{MODEL}", env: dict[str, str] | None = None, name: str = "chat"
    ) -> Filler:
        """A filler, as the init container of a pod of its own."""
        pod = self.scratch / f"pod-{len(self.fillers)}"
        pod.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HF_ENDPOINT": self.store.url,
            "TIDEGATE_TERMINATION_MESSAGE": str(pod / "message"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(env or {}),
        }
        given = [
            "--model",
            model,
            "--cache",
            str(self.folder),
            "--link",
            str(pod / name),
            "--place",
            "the claim a",
        ]
        command = [sys.executable, str(WORKER_IMAGE / "fill_cache.py"), *given, *QUICK, *words]
        with (pod / "output").open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        self.fillers.append(Filler(process, pod / name, pod))
        return self.fillers[-1]

    def fill(
        self, *words: str, model: str = f"hf://{MODEL}", env: dict[str, str] | None = None, name: str = "chat"
    ) -> Filler:
        """The same, ended."""
        filler = self.start(*words, model=model, env=env, name=name)
        filler.end()
        return filler

    def names(self, folder: str) -> list[str]:
        """What lies in ``models`` or ``partial``."""
        return sorted(each.name for each in (self.folder / folder).iterdir())

    def use_long_ago(self, key: str) -> None:
        """As if no worker had used the model for a day."""
        day = time.time() - 86_400
        os.utime(self.folder / "leases" / key, (day, day))


def contents(link: Path) -> dict[str, bytes]:
    """The model's files as an engine finds them."""
    files = [each for each in sorted(link.resolve().rglob("*")) if each.is_file()]
    return {str(each.relative_to(link.resolve())): each.read_bytes() for each in files if each.name[0] != "."}


def model_files(names: tuple[str, ...] = NEEDED) -> dict[str, bytes]:
    return {name: FILES[name] for name in names}


def until(check: Callable[[], bool], what: str) -> None:
    """Returns when ``check`` holds; AssertionError after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not check():
        assert time.monotonic() < deadline, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def store() -> Iterator[Store]:
    """Serves acme/chat."""
    found = Store()
    found.repositories[MODEL] = Repository(dict(FILES))
    with serving(found):
        yield found


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Iterator[Place]:
    """An empty cache; no filler outlives the test."""
    found = Place(tmp_path / "volume", store, tmp_path)
    try:
        yield found
    finally:
        for filler in found.fillers:
            if filler.process.poll() is None:
                filler.process.kill()
                filler.end()
