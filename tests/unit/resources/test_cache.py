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
    containers = [*found["containers"], *found.get("initContainers", ())]
    paths = [each["subPath"] for container in containers for each in cache_mounts(container).values()]
    assert len(paths) >= 2
    assert all(path == "team" or path.startswith("team/") for path in paths)


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
