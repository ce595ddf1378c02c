"""Recipes: what is expensive is made once, and anew when its ingredients change."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.unit.devcluster.recording import Recorder
from tidegate.devcluster.commands import Finished, SystemRunner
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.archive import Image, ImageConfig, measure
from tidegate.devcluster.images.base import BaseSystem, python_version, require_same_python
from tidegate.devcluster.images.cache import Made, make_once
from tidegate.devcluster.images.catalog import OPERATOR, catalog, described_image, operator_image
from tidegate.devcluster.images.digests import Digests
from tidegate.devcluster.images.layers import FilesLayer
from tidegate.devcluster.images.recipe import Files, Filled, Kitchen, Recipe, compile_python, pip_command
from tidegate.devcluster.kindconfig import REPOSITORY
from tidegate.devcluster.layout import Cache
from tidegate.devcluster.progress import Progress

QUIET = Progress(None)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def mmdebstrap(words: list[str]) -> Finished:
    base_with(Path(words[-1]), f"./usr/bin/python{python_version()}")
    return Finished(0, "", "")


def base_with(file: Path, *names: str) -> None:
    with tarfile.open(file, "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))


def fill(words: list[str]) -> Finished:
    (Path(words[-1]) / "filled").write_text("yes")
    return Finished(0, "", "")


def recorder() -> Recorder:
    return Recorder({"mmdebstrap": mmdebstrap, "fill": fill})


def recipe(inputs: Sequence[Path]) -> Recipe:
    command = ["fill", *(str(path) for path in inputs), "{target}"]
    part = Filled("opt/x", command, inputs, "filling", gib=0.001, python=False)
    return Recipe("tidegate.local/x:dev", BaseSystem(("python3",)), [part], ImageConfig(["/x"]))


def made(recorder: Recorder, cache: Cache, inputs: Sequence[Path]) -> Image:
    return Kitchen(recorder, cache, QUIET).make(recipe(inputs))


def test_base_and_folders_are_made_once(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "input").write_text("1")
    runner = recorder()
    first = made(runner, cache, [tmp_path / "input"])
    second = made(runner, cache, [tmp_path / "input"])
    assert first.identity == second.identity
    assert [line.split()[0] for line in runner.lines] == ["mmdebstrap", "fill"]


def test_a_folder_is_filled_anew_when_an_input_changes(cache: Cache, tmp_path: Path) -> None:
    runner = recorder()
    identities = set()
    for content in ("1", "2"):
        (tmp_path / "input").write_text(content)
        identities.add(made(runner, cache, [tmp_path / "input"]).identity)
    assert len(identities) == 2
    assert [line.split()[0] for line in runner.lines] == ["mmdebstrap", "fill", "fill"]


def test_a_folder_that_two_images_have_at_two_places_is_at_its_own_place_in_each(
    cache: Cache, tmp_path: Path
) -> None:
    folder = tmp_path / "package"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "module.py").write_text("1")
    (folder / "__pycache__" / "module.pyc").write_text("of this machine")
    for place in ("opt/one", "two"):
        files = Recipe("tidegate.local/y:dev", BaseSystem(("python3",)), [Files({place: folder})])
        layer = Kitchen(recorder(), cache, QUIET).make(files).layers[-1]
        with (tmp_path / "layer").open("wb") as out:
            layer.write(out)
        with tarfile.open(tmp_path / "layer") as tar:
            assert [each.name for each in tar if each.isfile()] == [f"{place}/module.py"]
        assert Digests(cache.digests).of(layer) == measure(layer)


def test_two_checkouts_with_the_same_content_share_their_folders(cache: Cache, tmp_path: Path) -> None:
    runner = recorder()
    for checkout in ("one", "two"):
        (tmp_path / checkout).mkdir()
        (tmp_path / checkout / "input").write_text("1")
        made(runner, cache, [tmp_path / checkout / "input"])
    assert len([line for line in runner.lines if line.startswith("fill")]) == 1


def test_a_base_system_with_another_python_is_refused_with_the_remedy(tmp_path: Path) -> None:
    base_with(tmp_path / "base", "./usr/bin/python3.11", "./usr/bin/python3.11-config")
    require_same_python(tmp_path / "base", "3.11")
    with pytest.raises(
        ClusterError, match=r"Python 3\.13, .* has 3\.11: make the environment with python3\.11"
    ):
        require_same_python(tmp_path / "base", "3.13")


def test_what_fails_half_way_is_not_taken_for_made(cache: Cache) -> None:
    def half(path: Path) -> None:
        path.mkdir()
        (path / "half").touch()
        raise ClusterError("no network")

    wanted = Made("group", "key", "making")
    with pytest.raises(ClusterError, match="no network"):
        make_once(cache, QUIET, wanted, half)
    assert make_once(cache, QUIET, wanted, Path.mkdir).is_dir()
    assert not (wanted.path(cache) / "half").exists()


def test_only_the_newest_of_a_kind_are_kept(cache: Cache) -> None:
    for key in ("a", "b", "c"):
        make_once(cache, QUIET, Made("group", key, "making", keep=2), Path.mkdir)
    assert not Made("group", "a", "").path(cache).exists()
    assert Made("group", "b", "").path(cache).exists()
    assert Made("group", "c", "").path(cache).exists()


def test_compiled_python_names_its_place_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def f(): raise ValueError\n")
    compile_python(SystemRunner(), tmp_path, "usr/lib/x")
    (compiled,) = (tmp_path / "__pycache__").iterdir()
    content = compiled.read_bytes()
    assert b"/usr/lib/x/module.py" in content
    assert content[4:8] == (0b01).to_bytes(4, "little")  # a hash that is not checked: no times, no sources


def test_requirements_are_installed_by_their_hashes_alone() -> None:
    command = pip_command(Path("runtime.txt"))
    assert "--require-hashes" in command
    assert command[command.index("--target") + 1] == "{target}"


def test_the_operators_image_holds_what_ships_and_not_this_tool() -> None:
    made = operator_image(REPOSITORY)
    code = made.parts[1]
    assert isinstance(code, Filled)
    assert made.name == OPERATOR
    assert {"cli", "gateway"} <= {path.name for path in code.inputs}
    assert "devcluster" not in {path.name for path in code.inputs}
    assert "compile.py" in {path.name for path in code.inputs}
    assert made.config.env["PYTHONPATH"] == f"/{code.place}"


def test_the_package_is_copied_without_the_tool_and_without_bytecode(tmp_path: Path) -> None:
    """Copied alone: no C library is as old as the one that is asked for."""
    code = operator_image(REPOSITORY).parts[1]
    assert isinstance(code, Filled)
    words = [word.replace("{target}", str(tmp_path)) for word in code.command]
    words[words.index("--libc") + 1] = "1.0"
    SystemRunner().run(words)
    assert (tmp_path / "tidegate" / "cli" / "__main__.py").exists()
    assert not (tmp_path / "tidegate" / "devcluster").exists()
    assert not list(tmp_path.rglob("__pycache__"))
    assert not list(tmp_path.rglob("*.so"))


def test_the_dockerfile_takes_the_same_requirements_package_user_and_start() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    start = operator_image(REPOSITORY).config
    assert "requirements/runtime.txt" in dockerfile
    assert "--require-hashes" in dockerfile
    assert "tools/compile.py /opt/tidegate" in dockerfile
    assert f"PYTHONPATH={start.env['PYTHONPATH']}" in dockerfile
    assert f"USER {start.user}" in dockerfile
    assert '"python3", "-m", "tidegate.cli"' in dockerfile
    assert list(start.entrypoint) == ["python3", "-m", "tidegate.cli"]


def test_every_image_runs_as_a_numeric_user_that_is_not_root() -> None:
    for name in ("operator", "sim"):
        user = catalog()[name]().config.user.partition(":")[0]
        assert int(user) > 0


DESCRIPTION = {
    "name": "tidegate.local/worker:dev",
    "base": {"packages": ["python3"]},
    "layers": [
        {
            "place": "{site-packages}",
            "command": ["python3", "{folder}/install.py", "{target}"],
            "inputs": ["install.py"],
            "about": "installing",
            "gib": 6,
            "python": False,
        },
        {"files": {"/opt/entrypoint.py": "entrypoint.py"}},
    ],
    "config": {"entrypoint": ["python3"], "user": 1000},
}


def test_a_description_is_read_relative_to_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    read = described_image(tmp_path / "image.yaml")
    filled = read.parts[0]
    assert isinstance(filled, Filled)
    assert list(filled.command) == [sys.executable, f"{tmp_path}/install.py", "{target}"]
    assert filled.place.startswith("usr/local/lib/python3.")
    assert (filled.gib, filled.python) == (6, False)
    assert read.config.user == "1000"


def test_a_description_that_lacks_a_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_text(yaml.safe_dump({**DESCRIPTION, "base": {}}))
    with pytest.raises(ClusterError, match=r"image\.yaml does not describe an image: KeyError\('packages'\)"):
        described_image(tmp_path / "image.yaml")


def test_a_file_that_an_image_needs_and_that_is_missing_is_named(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_text(yaml.safe_dump({**DESCRIPTION, "layers": DESCRIPTION["layers"][1:]}))  # type: ignore[index]
    with pytest.raises(ClusterError, match=r"entrypoint\.py is missing: the image needs it at /opt"):
        Kitchen(recorder(), cache, QUIET).make(described_image(tmp_path / "image.yaml"))


def test_a_folder_among_the_files_becomes_a_layer(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").touch()
    layers = [{"files": {"opt/code": "code"}}]
    (tmp_path / "image.yaml").write_text(yaml.safe_dump({**DESCRIPTION, "layers": layers}))
    image = Kitchen(recorder(), cache, QUIET).make(described_image(tmp_path / "image.yaml"))
    assert image.layers[-1] == FilesLayer({"opt/code/a.py": tmp_path / "code" / "a.py"})
