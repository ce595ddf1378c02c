"""What a worker on this machine is made from: a pod's arguments and environment, this machine's places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.resources.services import IMAGES
from tidegate.api.v1alpha1 import InferenceService, parse
from tidegate.domain.service import ServiceKey
from tidegate.local.worker import engines
from tidegate.local.worker.engines import EngineSettings
from tidegate.local.worker.template import Mount
from tidegate.local.worker.templates import build
from tidegate.resources.deployment import build_deployment

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
COMMAND = {"tidegate.io/command": "engine serve"}
PODS_OWN = {"HOME", "HF_HOME"}  # what a pod is told for want of a home


def service(annotations: dict[str, str] | None = None, **spec: Any) -> InferenceService:
    """``team/qwen`` with one core and 1Gi, run by a command of its own; these fields of the spec on top."""
    least = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}}
    metadata = {"name": "qwen", "namespace": "team", "annotations": annotations or COMMAND}
    kind = {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceService"}
    return parse({**kind, "metadata": metadata, "spec": {**least, **spec}})


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    """A root with nothing in it, and a podman on PATH."""
    program = tmp_path / "bin" / "podman"
    program.parent.mkdir()
    program.touch(0o755)
    return EngineSettings(tmp_path / "root", tmp_path / "packages", {"PATH": str(program.parent)})


def container(given: InferenceService) -> dict[str, Any]:
    """The engine's container of the same service's pod."""
    found = build_deployment(given, IMAGES)["spec"]["template"]["spec"]["containers"][0]
    return dict(found)


def model_of(words: tuple[str, ...]) -> str:
    return words[words.index("--model") + 1]


@pytest.mark.parametrize("name", ["tiny-chat", "minilm", "gpu"])
def test_a_worker_gets_a_pods_arguments_but_for_where_it_listens_and_where_its_model_is(
    name: str, settings: EngineSettings
) -> None:
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    document["metadata"]["annotations"] = COMMAND
    given = parse(document)
    words = build(given, {"hf-token": {}}, settings).command
    assert words[:2] == ("engine", "serve")
    pods = container(given)["args"]
    at = words.index("--host")
    assert words[at : at + 4] == ("--host", "{host}", "--port", "{port}")
    own = [*words[2:at], "--port", "8000", *words[at + 4 :]]
    own[1] = pods[1]  # the model
    assert own == pods


def test_a_worker_gets_a_pods_environment_but_for_its_home(settings: EngineSettings) -> None:
    given = service(engine={"env": [{"name": "MINE", "value": "a"}, {"name": "DO_NOT_TRACK", "value": "0"}]})
    pods = {each["name"]: each["value"] for each in container(given)["env"] if each["name"] not in PODS_OWN}
    found = build(given, {}, settings).environment
    assert {name: found[name] for name in pods} == pods
    assert found.keys() - pods.keys() == {"TIDEGATE_ISOLATION_HOST", "TIDEGATE_MEMORY_BYTES"}
    assert (found["TIDEGATE_ISOLATION_HOST"], found["TIDEGATE_MEMORY_BYTES"]) == ("{host}", str(1 << 30))


def test_cores_memory_devices_and_times_are_those_of_the_spec(settings: EngineSettings) -> None:
    resources = {
        "cpu": 4,
        "memory": "8Gi",
        "sharedMemory": "1Gi",
        "accelerator": {"resource": "nvidia.com/gpu", "count": 2},
    }
    engine = {"startupDeadlineSeconds": 60, "readinessPath": "/ready"}
    given = service(resources=resources, engine=engine, queue={"executionTimeoutSeconds": 100})
    made = build(given, {}, settings)
    assert made.key == ServiceKey("team", "qwen")
    assert (made.cores, made.memory, made.shared_memory) == (4, 8 << 30, 1 << 30)
    assert (made.devices, made.device_resource, made.exclusive) == (2, "nvidia.com/gpu", True)
    assert (made.readiness_path, made.startup_deadline) == ("/ready", 60.0)
    assert made.grace_seconds == 129.0  # a pod's 130 less the second in which gateways learn of it
    assert made.resources == container(given)["resources"]


def test_without_isolation_cores_are_shared_and_unlimited(settings: EngineSettings) -> None:
    made = build(service(cpuIsolation="None"), {}, settings)
    assert (made.exclusive, "cpu" in made.resources["limits"]) == (False, False)


def test_a_file_is_where_it_says_or_below_the_root(settings: EngineSettings, tmp_path: Path) -> None:
    here = tmp_path / "here"
    uri = f"file://{here}"
    below = settings.root / str(here).lstrip("/")
    assert model_of(build(service(model={"uri": uri}), {}, settings).command) == str(below)
    here.mkdir()
    made = build(service(model={"uri": uri}), {}, settings)
    assert model_of(made.command) == str(here)
    assert made.environment["HF_HUB_OFFLINE"] == "1"


def test_a_claim_is_a_folder_of_the_root(settings: EngineSettings) -> None:
    made = build(service(model={"uri": "pvc://models/all-MiniLM-L6-v2"}), {}, settings)
    assert model_of(made.command) == str(settings.root / "models" / "all-MiniLM-L6-v2")


def test_the_hubs_cache_is_the_users_own(settings: EngineSettings) -> None:
    made = build(service(model={"uri": "hf://a/b", "revision": "v1"}), {}, settings)
    assert model_of(made.command) == "a/b"
    assert "HF_HOME" not in made.environment
    assert made.command[made.command.index("--revision") + 1] == "v1"


def test_an_image_with_a_model_needs_a_container(settings: EngineSettings) -> None:
    with pytest.raises(ValueError, match=r"spec\.model\.uri: .*tidegate\.io/runtime"):
        build(service(model={"uri": "oci://registry.example.org/a:v1"}), {}, settings)


def test_every_key_of_the_models_secret_is_a_variable_and_the_users_own_wins(
    settings: EngineSettings,
) -> None:
    given = service(
        model={"uri": "hf://a/b", "secretRef": {"name": "token"}},
        engine={"env": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}}]},
    )
    secrets = {
        "token": {"HF_TOKEN": "theirs", "OTHER": "o", "TIDEGATE_MEMORY_BYTES": "1"},
        "mine": {"k": "v"},
    }
    found = build(given, secrets, settings).environment
    assert (found["HF_TOKEN"], found["OTHER"]) == ("v", "o")
    assert found["TIDEGATE_MEMORY_BYTES"] == str(1 << 30)


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({}, r"spec\.model\.secretRef: there is no Secret token"),
        ({"token": {}}, r"spec\.engine\.env\[A\]\.valueFrom: there is no Secret mine"),
        ({"token": {}, "mine": {}}, r"spec\.engine\.env\[A\]\.valueFrom: the Secret mine has no key k"),
    ],
)
def test_a_secret_that_is_missing_is_named_with_its_field(
    secrets: dict[str, dict[str, str]], said: str, settings: EngineSettings
) -> None:
    given = service(
        model={"uri": "hf://a/b", "secretRef": {"name": "token"}},
        engine={"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}}]},
    )
    with pytest.raises(ValueError, match=said):
        build(given, secrets, settings)


def test_what_is_compiled_is_kept_in_the_users_cache_folder_whatever_the_root_is(
    settings: EngineSettings, tmp_path: Path
) -> None:
    settings = replace(
        settings, environment={**settings.environment, "XDG_CACHE_HOME": str(tmp_path / "mine")}
    )
    place = str(tmp_path / "mine/tidegate/compile")
    given = service(cache={"claim": "cache"})
    assert build(given, {}, settings).environment["TIDEGATE_COMPILE_CACHE"] == place
    assert "TIDEGATE_COMPILE_CACHE" not in build(service(), {}, settings).environment


def test_a_mount_that_this_machine_does_not_have_is_refused(settings: EngineSettings, tmp_path: Path) -> None:
    def mounted(path: Path) -> InferenceService:
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        mount = {"name": "data", "mountPath": str(path)}
        return service(pod={"volumes": [volume], "volumeMounts": [mount]})

    build(mounted(tmp_path), {}, settings)
    with pytest.raises(ValueError, match=r"spec\.pod\.volumeMounts\[0\]\.mountPath: .*/none is not on this"):
        build(mounted(tmp_path / "none"), {}, settings)


def test_vllms_folder_stays_first_where_the_user_names_a_path_too(
    settings: EngineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    (settings.packages_folder / "vllm").mkdir(parents=True)
    (settings.packages_folder / "vllm" / "__init__.py").touch()
    given = service({"a": "b"}, engine={"env": [{"name": "PYTHONPATH", "value": "/plugins"}]})
    found = build(given, {}, settings)
    assert found.environment["PYTHONPATH"] == f"{settings.packages_folder}:/plugins"


CONTAINER = {"tidegate.io/runtime": "podman"}
IMAGE = {"image": "worker:1"}


def in_container(settings: EngineSettings, **spec: Any) -> Any:
    return build(service(CONTAINER, **{"engine": IMAGE, **spec}), {}, settings)


def test_a_container_gets_what_a_pods_gets(settings: EngineSettings) -> None:
    given = service(CONTAINER, engine=IMAGE)
    made = build(given, {}, settings)
    assert (made.runtime, made.image) == ("podman", "worker:1")
    assert list(made.command) == container(given)["args"]
    assert made.environment == {each["name"]: each["value"] for each in container(given)["env"]}


def test_a_container_finds_its_model_where_a_pod_does(settings: EngineSettings) -> None:
    for uri, path in (("file:///models/x", "/models/x"), ("pvc://models/x", "/models/models/x")):
        (settings.root / "models" / "x").mkdir(parents=True, exist_ok=True)
        made = in_container(settings, model={"uri": uri})
        assert model_of(made.command) == path
    assert made.mounts == (Mount(str(settings.root / "models"), "/models/models"),)
    assert in_container(settings, model={"uri": "file:///models/x"}).mounts == (
        Mount(str(settings.root / "models" / "x"), "/models/x"),
    )
    assert in_container(settings, model={"uri": "file:///models/in-the-image"}).mounts == ()
    assert in_container(settings, model={"uri": "oci://reg.example.org/m:1"}).mounts == (
        Mount("reg.example.org/m:1", "/models/image", "image"),
    )


def test_a_container_keeps_the_hubs_downloads_in_the_users_cache(settings: EngineSettings) -> None:
    settings = replace(settings, environment={**settings.environment, "HF_HOME": "/home/a/hub"})
    made = in_container(settings)
    assert made.mounts == (Mount("/home/a/hub", made.environment["HF_HOME"], read_only=False),)


def test_a_container_without_its_claims_folder_is_refused(settings: EngineSettings) -> None:
    with pytest.raises(ValueError, match=r"spec\.model\.uri: the claim none stands for the folder .*--root"):
        in_container(settings, model={"uri": "pvc://none/x"})


def test_two_workers_are_the_same_by_their_hash_and_every_change_is_another(
    settings: EngineSettings, tmp_path: Path
) -> None:
    first = build(service(), {}, settings)
    assert build(service(), {}, settings) == first
    changes: list[dict[str, Any]] = [
        {"engine": {"args": ["--enforce-eager"]}},
        {"engine": {"env": [{"name": "A", "value": "b"}]}},
        {"resources": {"cpu": 2, "memory": "1Gi"}},
        {"resources": {"cpu": 1, "memory": "2Gi"}},
        {"cpuIsolation": "None"},
        {"model": {"uri": f"file://{tmp_path}"}},
        {"engine": {"startupDeadlineSeconds": 60}},
    ]
    hashes = {build(service(**change), {}, settings).hash for change in changes}
    assert len(hashes | {first.hash}) == len(changes) + 1
    assert build(service(scaling={"idleTimeoutSeconds": 5}), {}, settings).hash == first.hash
