"""What a manifest says, and how one that cannot be read is told."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from tests.unit.local.services import KEY, document
from tidegate.domain.fitting import NodeSize
from tidegate.domain.service import ServiceKey
from tidegate.local.manifests.manifest import Contents, read_contents
from tidegate.local.manifests.manifest_set import Machine, together


def text(*documents: Any) -> str:
    return yaml.safe_dump_all(documents)


def contents(*documents: Any) -> Contents:
    return read_contents(text(*documents))


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, **fields}


def test_services_and_secrets_are_read_and_an_empty_document_is_none() -> None:
    encoded = base64.b64encode(b"hf_abc").decode()
    found = read_contents(
        text(document(), secret(data={"HF_TOKEN": encoded}, stringData={"OTHER": "x"})) + "---\n"
    )
    assert list(found.services) == [KEY]
    assert found.secrets == {ServiceKey("default", "token"): {"HF_TOKEN": "hf_abc", "OTHER": "x"}}


def test_what_an_api_server_adds_is_left_out() -> None:
    given = document()
    given["metadata"] |= {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    given["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "generation": 3}
    given["status"] = {"phase": "Running"}
    (_, found) = contents({"apiVersion": "v1", "kind": "List", "items": [given]}).services[KEY]
    assert found == {**document(), "metadata": {"name": "tide", "namespace": "default"}}


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        (
            ["text"],
            "document 1: it is no object with a kind; what is read here is InferenceService and Secret",
        ),
        (
            [document(), {"apiVersion": "apps/v1", "kind": "Deployment"}],
            "document 2: kind: Deployment means nothing without a cluster; what is read here is "
            "InferenceService and Secret",
        ),
        (
            [{"kind": "Secret", "metadata": {"name": "x"}}],
            "document 1: apiVersion: must be v1 for a Secret (got None)",
        ),
        ([document(scalling={})], "document 1: spec.scalling: no such field"),
        ([document(), document()], "document 2: InferenceService default/tide is there twice"),
        (
            [document() | {"metadata": {"name": "tide", "namespace": "../up"}}],
            "document 1: metadata.namespace: must be of lower-case letters, digits and -, at most 63 "
            "(got '../up')",
        ),
        ([secret(data={"K": "%%"})], "document 1: data[K]: must be base64 of a text; a plain text belongs in "
         "stringData"),
        ([secret(stringData={"K": 1})], "document 1: stringData[K]: must be a text; put it in quotes"),
        (
            [{"apiVersion": "v1", "kind": "List", "items": [document(), {"kind": "Pod"}]}],
            "document 1, item 2: kind: Pod means nothing without a cluster; what is read here is "
            "InferenceService and Secret",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(documents: list[Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the whole message is compared
        contents(*documents)
    assert str(refused.value) == sentence


def test_what_is_no_yaml_is_told_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"not YAML: .* line 2"):
        read_contents("kind: Secret\nkind: Secret\n")


def test_a_default_is_filled_in_before_the_service_is_read() -> None:
    def shorter(given: Any) -> Any:
        return {**given, "spec": {**given["spec"], "scaling": {"idleTimeoutSeconds": 7}}}

    (_, found) = read_contents(text(document()), shorter).services[KEY]
    assert found["spec"]["scaling"] == {"idleTimeoutSeconds": 7}


def test_one_name_is_in_one_file_and_serves_one_model_as_the_webhook_has_it() -> None:
    other = document("other", model={"uri": "hf://a/b", "servedNames": ["tide"]})
    with pytest.raises(ValueError, match=r"^b\.yaml: document 1: default/tide is in a\.yaml too$"):
        together(Machine(), [("a.yaml", contents(document())), ("b.yaml", contents(document()))])
    with pytest.raises(
        ValueError, match=r"^b\.yaml: document 1: spec\.model\.servedNames: 'tide' is served by"
    ):
        together(Machine(), [("a.yaml", contents(document())), ("b.yaml", contents(other))])


def test_a_worker_that_is_larger_than_the_machine_is_warned_of() -> None:
    small = Machine(sizes=(NodeSize(2000, 2**33),))
    found = together(small, [("a.yaml", contents(document(resources={"cpu": 64, "memory": "1Gi"})))])
    (warning,) = found.services[KEY].warnings
    assert warning.startswith("spec.resources.cpu: no node has 64 cores to give, the largest has 2")
