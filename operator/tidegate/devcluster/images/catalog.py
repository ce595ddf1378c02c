"""The images of this project, made of the files that their Dockerfiles use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.archive import ImageConfig
from tidegate.devcluster.images.base import BaseSystem
from tidegate.devcluster.images.recipe import (
    Files,
    Filled,
    Recipe,
    pip_command,
    site_packages,
)
from tidegate.devcluster.kindconfig import REPOSITORY

OPERATOR = "tidegate.local/tidegate:dev"
SIMULATOR = "tidegate.local/engine-sim:dev"
WORKER = "tidegate.local/worker-cpu:dev"
NOISE = "tidegate.local/noise:dev"
PYTHON = BaseSystem(("python3", "ca-certificates"))
NO_BUFFER = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
NOT_SHIPPED = "devcluster"
CODE = "opt/tidegate"
FILLING = ("fill_cache.py", "tidegate_cache", "tidegate_worker")  # no more than the standard library
BASE_LIBC = "2.36"  # Debian 12's


def catalog(repository: Path = REPOSITORY) -> dict[str, Callable[[], Recipe]]:
    """Short name → recipe, read only when it is asked for."""
    return {
        "operator": lambda: operator_image(repository),
        "sim": lambda: simulator_image(repository),
        "worker": lambda: described_image(repository / "worker-image" / "image.yaml"),
        "noise": lambda: described_image(repository / "benchmarks" / "isolation" / "noise" / "image.yaml"),
    }


def operator_image(repository: Path) -> Recipe:
    """Operator and gateway as in Dockerfile: locked requirements, the package, its data path compiled."""
    requirements, package = repository / "requirements" / "runtime.txt", repository / "operator" / "tidegate"
    script = repository / "tools" / "compile.py"
    sources = [path for path in sorted(package.iterdir()) if path.name not in (NOT_SHIPPED, "__pycache__")]
    wheels = Filled(
        site_packages(), pip_command(requirements), [requirements], "installing the operator's packages"
    )
    command = [sys.executable, str(script), "{target}", "--or-interpreted", "--libc", BASE_LIBC]
    code = Filled(CODE, command, [script, *sources], "compiling the operator's image")
    start = ImageConfig(
        ["python3", "-m", "tidegate.cli"], env=NO_BUFFER | {"PYTHONPATH": f"/{CODE}"}, user="65532:65532"
    )
    return Recipe(OPERATOR, PYTHON, [wheels, code], start)


def simulator_image(repository: Path) -> Recipe:
    """The simulated engine, what a worker tells of its cores, and the step that fills a worker's cache."""
    folder, worker = repository / "tests" / "engine_sim", repository / "worker-image"
    sources = {"engine.py": folder / "engine.py", "pod.py": folder / "pod.py"}
    sources["tidegate_worker"] = worker / "tidegate_worker"
    sources |= {f"{CODE}/{name}": worker / name for name in FILLING}
    files = Files(sources)
    start = ImageConfig(["python3", "/pod.py"], env=NO_BUFFER, user="1000:1000")
    return Recipe(SIMULATOR, PYTHON, [files], start)


def described_image(file: Path) -> Recipe:
    """The image that a file describes, such as worker-image/image.yaml. Its paths are relative to it."""
    try:
        document = yaml.safe_load(file.read_text())
        parts = [_part(file.parent, entry) for entry in document["layers"]]
        base = BaseSystem(tuple(document["base"]["packages"]))
        config = document["config"]
        start = ImageConfig(
            config["entrypoint"],
            config.get("command", ()),
            config.get("env", {}),
            str(config.get("user", "")),
        )
        return Recipe(document["name"], base, parts, start)
    except OSError as error:
        raise ClusterError(f"cannot read {file}: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ClusterError(f"{file} does not describe an image: {error!r}") from error


def _part(folder: Path, entry: Mapping[str, Any]) -> Filled | Files:
    if "files" in entry:
        return Files({place.strip("/"): folder / source for place, source in entry["files"].items()})
    place = str(entry["place"]).replace("{site-packages}", site_packages()).strip("/")
    command = [
        sys.executable if word == "python3" else word.replace("{folder}", str(folder))
        for word in entry["command"]
    ]
    inputs = [folder / name for name in entry["inputs"]]
    gib, python = float(entry.get("gib", 0.5)), bool(entry.get("python", True))
    return Filled(place, command, inputs, entry["about"], gib, python)
