"""Who owns a field."""

import pytest

from tidegate.resources.ownership import other_managers

FIELDS = {
    "f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}},
    "f:spec": {
        "f:paused": {},
        "f:strategy": {},
        "f:template": {"f:spec": {"f:containers": {'k:{"name":"engine"}': {"f:image": {}}}}},
    },
}
OBSERVED = {
    "metadata": {
        "managedFields": [
            {"manager": "tidegate-operator", "fieldsV1": FIELDS},
            {"manager": "kubectl-edit", "fieldsV1": FIELDS},
        ]
    }
}


@pytest.mark.parametrize(
    "path",
    [
        ".spec.paused",
        ".metadata.labels.app.kubernetes.io/managed-by",
        ".spec.template.spec.containers[engine].image",
        ".spec.strategy.type",  # owned as a whole
        ".spec",
    ],
)
def test_the_other_owner_of_a_path_is_found(path: str) -> None:
    assert other_managers(OBSERVED, [path]) == ("kubectl-edit",)


@pytest.mark.parametrize(
    "path", [".spec.pausedToo", ".spec.replicas", ".spec.template.spec.containers[other].image"]
)
def test_of_a_path_that_nobody_else_owns_nobody_is_named(path: str) -> None:
    assert other_managers(OBSERVED, [path]) == ()


def test_an_object_without_managed_fields_names_nobody() -> None:
    assert other_managers({"metadata": {}}, [".spec"]) == ()
