"""The Dockerfiles, without Docker: what they copy is there, what they leave behind runs as nobody special."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.worker.conftest import WORKER_IMAGE

DOCKERFILES = sorted(WORKER_IMAGE.glob("Dockerfile.*"))
LABELS = {f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses", "base.name")}


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined; ``stage`` 0 is what stands before the first FROM."""

    name: str
    value: str
    stage: int


def instructions(file: Path) -> list[Instruction]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    found: list[Instruction] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, value = line.partition(" ")
        stage = (found[-1].stage if found else 0) + (name == "FROM")
        found.append(Instruction(name, value.strip(), stage))
    return found


def last_stage(file: Path) -> list[Instruction]:
    every = instructions(file)
    return [each for each in every if each.stage == every[-1].stage]


def recipe() -> dict[str, Any]:
    """The embedded image's recipe."""
    found: dict[str, Any] = yaml.safe_load((WORKER_IMAGE / "image.yaml").read_text())
    return found


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.name)
def dockerfile(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_is_one_for_each_device() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile.cpu", "Dockerfile.cuda"]


def test_the_base_image_has_no_default_and_must_be_named_by_its_digest(dockerfile: Path) -> None:
    arguments = [each.value for each in instructions(dockerfile) if each.name == "ARG"]
    assert set(arguments) == {"VLLM_IMAGE"}
    bases = [each.value.split()[0] for each in instructions(dockerfile) if each.name == "FROM"]
    assert bases == ["${VLLM_IMAGE}"] * 2
    first = next(each.value for each in instructions(dockerfile) if each.name == "RUN")
    assert first.startswith('case "$VLLM_IMAGE" in *@sha256:*) ;;')


def test_what_is_built_comes_as_files_of_the_first_stage(dockerfile: Path) -> None:
    last = last_stage(dockerfile)
    assert "RUN" not in {each.name for each in last}
    assert "ADD" not in {each.name for each in instructions(dockerfile)}
    assert [each.value for each in last if each.name == "COPY"] == ["--from=build /made /"]


def test_what_is_copied_is_there_and_not_ignored(dockerfile: Path) -> None:
    allowed = re.findall(r"^!(\S+)$", (WORKER_IMAGE / ".dockerignore").read_text(), re.MULTILINE)
    copies = [each.value.split() for each in instructions(dockerfile) if each.name == "COPY"]
    sources = {word for words in copies if not words[0].startswith("--") for word in words[:-1]}
    assert [source for source in sources if not (WORKER_IMAGE / source).exists()] == []
    assert sources <= set(allowed)
    assert [name for name in allowed if not (WORKER_IMAGE / name).exists()] == []


def test_it_runs_as_nobody_special_and_starts_as_the_embedded_image_does(dockerfile: Path) -> None:
    last = {each.name: each.value for each in last_stage(dockerfile)}
    config = recipe()["config"]
    assert last["USER"] == config["user"]
    assert int(last["USER"].split(":")[0]) > 0
    assert yaml.safe_load(last["ENTRYPOINT"]) == config["entrypoint"]
    environment = dict(pair.split("=") for pair in last["ENV"].split())
    assert environment == config["env"]
    assert last["HEALTHCHECK"] == "NONE"  # Kubernetes asks by its own probes


def test_it_holds_the_same_files_of_ours_as_the_embedded_image(dockerfile: Path) -> None:
    wanted = {
        source: place for layer in recipe()["layers"] for place, source in layer.get("files", {}).items()
    }
    copied = {}
    for each in instructions(dockerfile):
        if each.name == "COPY" and " /made/" in each.value:
            *sources, place = each.value.split()
            for source in sources:
                copied[source] = (place + source if place.endswith("/") else place).removeprefix("/made/")
    assert copied == wanted


def test_it_says_what_it_is(dockerfile: Path) -> None:
    labels = next(each.value for each in last_stage(dockerfile) if each.name == "LABEL")
    assert set(re.findall(r"(\S+)=\"", labels)) == LABELS


def test_the_embedded_image_has_an_allocator_as_vllms_own_image_has() -> None:
    assert "libtcmalloc-minimal4" in recipe()["base"]["packages"]
