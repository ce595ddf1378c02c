"""spec.cache: which volume a worker gets, what it sees of it, and what is refused."""

from typing import Any

import pytest

from tests.unit.resources.services import IMAGES, service
from tidegate.resources.deployment import build_deployment

Json = dict[str, Any]

NODE_PATH = "/var/lib/tidegate"
CLAIM = {"claim": "models"}


def pod(node_cache: str = NODE_PATH, **spec: Any) -> Json:
    found: Json = build_deployment(service(**spec), IMAGES, node_cache)["spec"]["template"]["spec"]
    return found


def cache_mounts(container: Json) -> dict[str, Json]:
    return {each["mountPath"]: each for each in container["volumeMounts"] if each["name"] == "cache"}


def volume(found: Json) -> Json:
    (one,) = [each for each in found["volumes"] if each["name"] == "cache"]
    return dict(one)


def test_without_a_cache_nothing_of_a_pod_is_about_one() -> None:
    assert "cache" not in repr(pod())
    assert pod() == pod(node_cache="")


def filler(**spec: Any) -> Json:
    (found,) = pod(**spec)["initContainers"]
    return dict(found)


def option(container: Json, name: str) -> str:
    words: list[str] = container["args"]
    return words[words.index(name) + 1]


def test_a_model_is_fetched_before_the_engine_which_then_finds_it_by_a_path_and_asks_nobody() -> None:
    model = {"uri": "hf://a/b", "revision": "v1", "servedNames": ["chat"], "secretRef": {"name": "token"}}
    found = pod(model=model, cache={**CLAIM, "sizeLimit": "200Gi"})
    (engine,), (first,) = found["containers"], found["initContainers"]
    assert first["name"] == "cache"
    assert first["image"] == engine["image"]
    assert option(first, "--model") == "hf://a/b"
    assert option(first, "--revision") == "v1"
    assert option(first, "--size-limit") == str(200 << 30)
    assert option(first, "--place") == "the claim models"
    assert option(engine, "--model") == option(first, "--link")
    assert option(engine, "--served-model-name") == "chat"
    assert "--revision" not in engine["args"]
    assert first["envFrom"] == [{"secretRef": {"name": "token"}}]
    assert "envFrom" not in engine
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in engine["env"]


def test_object_storage_in_the_cache_is_read_from_the_folder_and_not_streamed() -> None:
    found = pod(model={"uri": "s3://bucket/a"}, cache=CLAIM)
    assert "--load-format" not in found["containers"][0]["args"]
    assert option(found["initContainers"][0], "--model") == "s3://bucket/a"


def test_a_mirror_and_a_proxy_of_the_engines_environment_are_the_fillers_too() -> None:
    mirror = {"name": "HF_ENDPOINT", "value": "http://mirror.example.org"}
    assert mirror in filler(cache=CLAIM, engine={"env": [mirror]})["env"]


def test_a_variable_that_the_user_gives_takes_the_place_of_ours() -> None:
    home = {"name": "HOME", "value": "/x"}
    assert filler(cache=CLAIM, engine={"env": [home]})["env"] == [home]


def test_the_filler_has_the_users_volumes_where_certificates_may_lie() -> None:
    mount = {"name": "ca", "mountPath": "/etc/ca", "readOnly": True}
    given = {"volumes": [{"name": "ca", "configMap": {"name": "ca"}}], "volumeMounts": [mount]}
    assert mount in filler(cache=CLAIM, pod=given)["volumeMounts"]


def test_who_names_a_load_format_has_every_format_fetched() -> None:
    assert "--every-format" in filler(cache=CLAIM, engine={"args": ["--load-format", "pt"]})["args"]
    assert "--every-format" not in filler(cache=CLAIM)["args"]


def test_two_revisions_of_a_model_are_two_names_within_what_a_file_may_be_called() -> None:
    long = "hf://" + "a" * 90 + "/" + "b" * 90
    uris = [{"uri": long}, {"uri": long, "revision": "v1"}, {"uri": f"{long}c"}]
    names = {option(filler(model=uri, cache=CLAIM), "--link").rpartition("/")[2] for uri in uris}
    assert len(names) == 3
    assert max(map(len, names)) < 128


@pytest.mark.parametrize("isolation", ["Required", "None"])
def test_the_filler_takes_what_the_engine_has_and_no_device(isolation: str) -> None:
    gpu = {"resource": "nvidia.com/gpu", "count": 1}
    resources = {"cpu": 2, "memory": "4Gi", "accelerator": gpu}
    found = pod(resources=resources, cache=CLAIM, cpuIsolation=isolation)
    amounts, engines = (found[kind][0]["resources"] for kind in ("initContainers", "containers"))
    without = {kind: {k: v for k, v in given.items() if "/" not in k} for kind, given in engines.items()}
    assert amounts == without


def test_the_filler_keeps_the_restricted_level() -> None:
    found = filler(cache=CLAIM)["securityContext"]
    assert found["readOnlyRootFilesystem"]
    assert found["allowPrivilegeEscalation"] is False
    assert found["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("uri", ["pvc://claim/a", "oci://example.org/a:1", "file:///a"])
def test_what_lies_somewhere_already_is_not_fetched_and_keeps_only_what_is_compiled(uri: str) -> None:
    found = pod(model={"uri": uri}, cache=CLAIM)
    assert "initContainers" not in found
    assert set(cache_mounts(found["containers"][0])) == {"/cache/compile"}


def test_a_claim_is_mounted_with_the_models_read_only_and_what_is_compiled_writable() -> None:
    found = pod(cache=CLAIM)
    assert volume(found) == {"name": "cache", "persistentVolumeClaim": {"claimName": "models"}}
    mounts = cache_mounts(found["containers"][0])
    assert mounts["/cache/models"] == {
        "name": "cache",
        "subPath": "models",
        "mountPath": "/cache/models",
        "readOnly": True,
    }
    assert mounts["/cache/compile"] == {"name": "cache", "subPath": "compile", "mountPath": "/cache/compile"}


def test_the_folder_of_a_node_is_the_administrators_and_a_pod_sees_its_namespaces_part_alone() -> None:
    found = pod(cache={"node": True})
    assert volume(found)["hostPath"] == {"path": NODE_PATH, "type": "DirectoryOrCreate"}
    for container in (*found["containers"], *found["initContainers"]):
        assert cache_mounts(container) == {
            "/cache": {"name": "cache", "mountPath": "/cache", "subPath": "team"}
        }


def test_below_a_namespaces_folder_on_a_node_nothing_is_mounted_since_its_pods_could_put_links_there() -> (
    None
):
    """A kubelet follows links in a subPath wherever in the volume they lead: to other namespaces' folders."""
    for uri in ("hf://a/b", "pvc://claim/a"):
        for container in pod(model={"uri": uri}, cache={"node": True})["containers"]:
            assert all("/" not in each.get("subPath", "") for each in cache_mounts(container).values())


def test_on_a_node_a_tenth_of_the_file_system_stays_free_and_in_a_claim_nothing_must() -> None:
    assert option(filler(cache={"node": True}), "--keep-free") == "10"
    assert "--keep-free" not in filler(cache=CLAIM)["args"]


def test_a_node_folder_that_the_installation_has_not_is_a_sentence_that_names_both_ways_out() -> None:
    with pytest.raises(ValueError, match=r"spec\.cache\.node: .*cache\.nodePath.*spec\.cache\.claim"):
        pod(node_cache="", cache={"node": True})


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"cache": {}}, "exactly one of claim and node"),
        ({"cache": {"node": False}}, "exactly one of claim and node"),
        ({"cache": {"claim": "a", "node": True}}, "exactly one of claim and node"),
        ({"cache": {**CLAIM, "sizeLimit": "much"}}, r"cache\.sizeLimit.*512Mi"),
        (
            {"cache": {**CLAIM, "sizeLimit": "1Gi"}, "model": {"uri": "pvc://claim/a"}},
            r"cache\.sizeLimit bounds downloaded models",
        ),
        ({"cache": CLAIM, "pod": {"volumes": [{"name": "cache", "emptyDir": {}}]}}, "operator's own"),
        (
            {
                "cache": CLAIM,
                "pod": {
                    "volumes": [{"name": "a", "emptyDir": {}}],
                    "volumeMounts": [{"name": "a", "mountPath": "/cache/models"}],
                },
            },
            "operator's own",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(spec: Json, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        service(**spec)


def test_without_a_cache_its_names_are_everybodys() -> None:
    given = {
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
    }
    assert {"name": "cache", "emptyDir": {}} in pod(pod=given)["volumes"]
