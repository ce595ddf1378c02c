"""Where the weights come from, and what the source asks for."""

from typing import Any

import pytest

from tests.unit.resources.services import IMAGES, service
from tidegate.resources.deployment import build_deployment
from tidegate.resources.image_volumes import dropped_image_volume

Json = dict[str, Any]


def deployment(
    uri: str, *, credentials: str = "", args: tuple[str, ...] = (), pod: Json | None = None
) -> Json:
    model: Json = {"uri": uri} | ({"secretRef": {"name": credentials}} if credentials else {})
    return build_deployment(service(model=model, engine={"args": list(args)}, pod=pod or {}), IMAGES)


def pod_of(manifest: Json) -> Json:
    found: Json = manifest["spec"]["template"]["spec"]
    return found


def engine_of(manifest: Json) -> Json:
    (found,) = pod_of(manifest)["containers"]
    return dict(found)


def test_object_storage_is_streamed_by_the_engine_itself() -> None:
    engine = engine_of(deployment("s3://bucket/llama/8b/"))
    assert engine["args"][:4] == ["--model", "s3://bucket/llama/8b", "--load-format", "runai_streamer"]
    assert "--revision" not in engine["args"]
    assert [mount["name"] for mount in engine["volumeMounts"]] == ["tmp", "shm"]


@pytest.mark.parametrize(
    "args",
    [
        ("--load-format", "runai_streamer_sharded"),
        ("--load-format=dummy",),
        ("--load_format=dummy",),
        ("--load-f", "dummy"),
    ],
)
def test_a_load_format_that_is_given_is_not_doubled(args: tuple[str, ...]) -> None:
    given = engine_of(deployment("s3://bucket/a", args=args))["args"]
    assert "runai_streamer" not in given
    assert tuple(given[-len(args) :]) == args


def test_no_other_source_is_streamed() -> None:
    for uri in ("hf://a/b", "pvc://claim/a", "file:///a", "oci://example.org/a:1"):
        assert "--load-format" not in engine_of(deployment(uri))["args"]


@pytest.mark.parametrize("uri", ["hf://a/b", "s3://bucket/a"])
def test_every_key_of_the_secret_is_a_variable_of_the_engine(uri: str) -> None:
    manifest = deployment(uri, credentials="keys")
    assert engine_of(manifest)["envFrom"] == [{"secretRef": {"name": "keys"}}]
    assert "imagePullSecrets" not in pod_of(manifest)
    assert "envFrom" not in engine_of(deployment(uri))


def test_an_image_is_a_volume_that_is_mounted_read_only_and_needs_no_hub() -> None:
    manifest = deployment("oci://registry.example.org:5000/models/qwen:v1")
    engine = engine_of(manifest)
    image = {"reference": "registry.example.org:5000/models/qwen:v1", "pullPolicy": "IfNotPresent"}
    assert {"name": "model", "image": image} in pod_of(manifest)["volumes"]
    assert {"name": "model", "mountPath": "/models/image", "readOnly": True} in engine["volumeMounts"]
    assert engine["args"][:2] == ["--model", "/models/image"]
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in engine["env"]


def test_the_secret_of_an_image_opens_its_registry_and_is_no_variable() -> None:
    manifest = deployment(
        "oci://example.org/a:1", credentials="registry", pod={"imagePullSecrets": [{"name": "own"}]}
    )
    assert pod_of(manifest)["imagePullSecrets"] == [{"name": "own"}, {"name": "registry"}]
    assert "envFrom" not in engine_of(manifest)


def test_a_registry_that_is_named_twice_is_asked_once() -> None:
    twice = deployment(
        "oci://example.org/a:1", credentials="own", pod={"imagePullSecrets": [{"name": "own"}]}
    )
    assert pod_of(twice)["imagePullSecrets"] == [{"name": "own"}]


def as_a_cluster_without_image_volumes_answers(manifest: Json) -> Json:
    pod = pod_of(manifest)
    volumes = [volume for volume in pod["volumes"] if "image" not in volume]
    return {"spec": {"template": {"spec": {**pod, "volumes": volumes}}}}


def test_a_dropped_image_volume_is_told_with_its_image_and_what_to_do() -> None:
    wanted = deployment("oci://example.org/a:1")
    cause = dropped_image_volume(wanted, as_a_cluster_without_image_volumes_answers(wanted))
    assert cause
    assert cause.reason == "NoImageVolumes"
    assert "oci://example.org/a:1" in cause.message
    assert "1.35" in cause.message
    assert dropped_image_volume(wanted, wanted) is None


def test_where_no_image_volume_is_wanted_none_is_missed() -> None:
    wanted = deployment("hf://a/b")
    assert dropped_image_volume(wanted, as_a_cluster_without_image_volumes_answers(wanted)) is None
    without: Json = {"spec": {"template": {"spec": {}}}}
    assert dropped_image_volume(wanted, without) is None
