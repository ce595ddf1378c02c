"""What the operator's account may write on pods, tried with its own token: one annotation of workers."""

from __future__ import annotations

from itertools import count

import pytest

from tests.component.kube.objects import MANAGER, create_pod, template
from tests.component.kube.wire import eventually
from tidegate.domain.deletion_order import COST_ANNOTATION
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.deletion_cost import write_deletion_cost
from tidegate.kube.errors import ForbiddenError, InvalidError
from tidegate.resources.labels import labels


async def worker(client: KubeClient, name: str, **metadata: Json) -> Json:
    """A worker's pod, as the operator's Deployments make it."""
    body: Json = {"apiVersion": "v1", "kind": "Pod", **template("qwen")}
    body["metadata"] = {"name": name, "labels": labels("qwen"), "annotations": {"kept": "yes"}, **metadata}
    return await client.create(paths.pods("default"), body, field_manager=MANAGER)


@pytest.fixture(autouse=True)
async def _policy_holds(as_admin: KubeClient, as_operator: KubeClient) -> None:
    """An admission policy takes a moment until the API server knows of it."""
    probe = await worker(as_admin, "probe")
    path = paths.pod_status("default", "probe")

    tries = count()

    async def refused() -> bool:
        try:
            patch = {
                "metadata": {"annotations": {"other": str(next(tries))}}
            }  # what changes nothing may pass
            await as_operator.merge_patch(path, patch, field_manager=MANAGER)
        except ForbiddenError:
            return True
        return False

    await eventually(refused, "the policy is in force")
    await as_admin.delete(paths.pod("default", "probe"), uid=probe["metadata"]["uid"])


async def test_the_operator_marks_a_worker_and_marks_it_again(
    as_admin: KubeClient, as_operator: KubeClient
) -> None:
    uid = (await worker(as_admin, "marked"))["metadata"]["uid"]
    for cost in (-1, -2, 7):
        pod = await write_deletion_cost(as_operator, "default", "marked", uid, cost)
        assert pod["metadata"]["annotations"] == {"kept": "yes", COST_ANNOTATION: str(cost)}


async def test_a_successor_of_the_same_name_is_not_marked(
    as_admin: KubeClient, as_operator: KubeClient
) -> None:
    await worker(as_admin, "successor")
    with pytest.raises(InvalidError, match=r"metadata\.uid"):
        await write_deletion_cost(as_operator, "default", "successor", "the-one-before", -1)


MARK: Json = {COST_ANNOTATION: "-1"}


@pytest.mark.parametrize(
    ("number", "patch"),
    [
        *enumerate(
            (
                {"metadata": {"annotations": {"other": "x"}}},
                {"metadata": {"annotations": {**MARK, "other": "x"}}},
                {"metadata": {"annotations": {**MARK, "kept": "no"}}},
                {"metadata": {"annotations": {**MARK, "kept": None}}},
                {"metadata": {"annotations": MARK, "labels": {"other": "x"}}},
                {"metadata": {"annotations": MARK, "labels": {"tidegate.io/inferenceservice": "another"}}},
                {"metadata": {"annotations": MARK, "finalizers": ["a.example/b"]}},
                {"metadata": {"annotations": MARK}, "status": {"phase": "Failed"}},
                {"metadata": {"annotations": MARK}, "status": {"podIP": "10.0.0.9"}},
                {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            )
        )
    ],
)
async def test_the_operator_changes_nothing_else_of_a_worker(
    as_admin: KubeClient, as_operator: KubeClient, number: int, patch: Json
) -> None:
    before = await worker(as_admin, f"held-{number}")
    with pytest.raises(ForbiddenError, match="pod-deletion-cost"):
        await as_operator.merge_patch(
            paths.pod_status("default", f"held-{number}"), patch, field_manager=MANAGER
        )
    assert await as_admin.get(paths.pod("default", f"held-{number}")) == before


async def test_a_pods_spec_is_out_of_reach(as_admin: KubeClient, as_operator: KubeClient) -> None:
    await worker(as_admin, "spec")
    image = {"spec": {"containers": [{"name": "engine", "image": "another"}]}}
    with pytest.raises(ForbiddenError, match='cannot patch resource "pods"'):
        await as_operator.merge_patch(paths.pod("default", "spec"), image, field_manager=MANAGER)
    both = {**image, "metadata": {"annotations": MARK}}
    await as_operator.merge_patch(paths.pod_status("default", "spec"), both, field_manager=MANAGER)
    pod = await as_admin.get(paths.pod("default", "spec"))
    assert pod["spec"]["containers"][0]["image"] == "none"


@pytest.mark.parametrize("own", [{}, {"tidegate.io/inferenceservice": "qwen"}, {"app": "foreign"}])
async def test_a_pod_that_no_deployment_of_tidegate_made_is_not_touched(
    as_admin: KubeClient, as_operator: KubeClient, own: dict[str, str]
) -> None:
    name = f"foreign-{len(own)}-{'-'.join(own).rpartition('/')[2] or 'bare'}"
    body: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        **template("qwen"),
        "metadata": {"name": name, "labels": own},
    }
    uid = (await as_admin.create(paths.pods("default"), body, field_manager=MANAGER))["metadata"]["uid"]
    with pytest.raises(ForbiddenError, match="and no other pod"):
        await write_deletion_cost(as_operator, "default", name, uid, -1)


async def test_the_policy_holds_nobody_but_the_operator(as_admin: KubeClient) -> None:
    await create_pod(as_admin, "default", "qwen", "free")
    patch = {"metadata": {"annotations": {"other": "x"}}}
    pod = await as_admin.merge_patch(paths.pod_status("default", "free"), patch, field_manager=MANAGER)
    assert pod["metadata"]["annotations"]["other"] == "x"
