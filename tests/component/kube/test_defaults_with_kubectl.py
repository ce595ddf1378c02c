"""Filled-in values and all that people write objects with: kubectl in its ways, helm, a restore.

The real API server tells the webhook who owns which field, and that differs with each of them.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.component.chart.helm import Helm, find_helm
from tests.component.kube.kubectl import Kubectl, KubectlError, manifest
from tests.component.kube.webhooks import Installation, depth_and_note, running
from tidegate.devcluster import ApiServer

RESOURCE = "inferenceservices.tidegate.io"
DEFAULTED = (128, "128 from Default")
STEPS_NOTE = "tidegate.io/degradation-default"
SSA = ("apply", "--server-side", "-f", "-")
ARGO = (*SSA, "--field-manager=argocd-controller")


class User:
    """One person with one object, and what stands in it after each step."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.exported = ""

    async def does(self, step: str, depth: int | None = None, **spec: Any) -> Any:
        """Carry out a step; limit and annotation after it."""
        text = manifest(self.kubectl.namespace, depth, **spec)
        await getattr(self, f"_{step}")(text, depth)
        return depth_and_note(await self.kubectl.live())

    async def version(self) -> str:
        """The object's resource version."""
        return str((await self.kubectl.live())["metadata"]["resourceVersion"])

    async def _create(self, text: str, _: object) -> None:
        await self.kubectl("create", "-f", "-", text=text)

    async def _apply(self, text: str, _: object) -> None:
        await self.kubectl("apply", "-f", "-", text=text)

    async def _ssa(self, text: str, _: object) -> None:
        await self.kubectl(*SSA, text=text)

    async def _argo(self, text: str, _: object) -> None:
        await self.kubectl(*ARGO, text=text)

    async def _forced(self, text: str, _: object) -> None:
        await self.kubectl(*SSA, "--force-conflicts", text=text)

    async def _replace(self, text: str, _: object) -> None:
        await self.kubectl("replace", "-f", "-", text=text)

    async def _edit(self, _: str, depth: int | None) -> None:
        wanted = f"s/maxDepth:.*/maxDepth: {depth}/" if depth else "/maxDepth:/d"
        await self.kubectl("edit", RESOURCE, "qwen", editor=f"sed -i '{wanted}'")

    async def _export(self, _: str, __: object) -> None:
        item = await self.kubectl.live()
        for name in ("resourceVersion", "uid", "generation", "creationTimestamp"):
            del item["metadata"][name]
        self.exported = json.dumps(item)

    async def _replace_export(self, _: str, __: object) -> None:
        await self.kubectl("replace", "-f", "-", text=self.exported)

    async def _apply_export(self, _: str, __: object) -> None:
        await self.kubectl("apply", "-f", "-", text=self.exported)

    async def _restore(self, _: str, __: object) -> None:
        await self.kubectl("delete", RESOURCE, "qwen")
        await self.kubectl("create", "-f", "-", text=self.exported)

    async def _label(self, _: str, __: object) -> None:
        await self.kubectl("label", "--overwrite", RESOURCE, "qwen", f"touched={uuid.uuid4().hex}")


@pytest.fixture
def user(server: ApiServer, namespace: str) -> User:
    return User(Kubectl(server.kubeconfig, namespace))


@pytest.fixture
async def served(installation: Installation) -> AsyncIterator[None]:
    """The webhooks serve, with the default 128."""
    async with running(installation):
        yield


Step = tuple[str, int | None, Any]

WAYS: dict[str, list[Step]] = {
    "create, label": [("create", None, DEFAULTED), ("label", None, DEFAULTED)],
    "create with a limit": [("create", 128, (128, None)), ("label", None, (128, None))],
    "apply, and a limit comes and goes": [
        ("apply", None, DEFAULTED),
        ("apply", 64, (64, None)),
        ("apply", None, DEFAULTED),
        ("apply", 128, (128, None)),
        ("label", None, (128, None)),
        ("apply", None, DEFAULTED),
    ],
    "server-side apply, and a limit comes and goes": [
        ("ssa", None, DEFAULTED),
        ("ssa", 64, (64, None)),
        ("ssa", None, DEFAULTED),
        ("ssa", 128, (128, None)),
        ("label", None, (128, None)),
        ("ssa", None, DEFAULTED),
    ],
    "two managers, one with a limit": [
        ("ssa", None, DEFAULTED),
        ("argo", None, DEFAULTED),
        ("argo", 128, (128, None)),
        ("ssa", None, (128, None)),
        ("forced", 32, (32, None)),
        ("ssa", None, DEFAULTED),
        ("argo", None, DEFAULTED),
    ],
    "both managers want the same limit": [
        ("ssa", 128, (128, None)),
        ("argo", 128, (128, None)),
        ("ssa", None, (128, None)),
        ("argo", None, DEFAULTED),
    ],
    "from client-side to server-side apply": [
        ("apply", 128, (128, None)),
        ("ssa", 128, (128, None)),
        ("ssa", None, DEFAULTED),
        ("label", None, DEFAULTED),
    ],
    "edit to another limit, back, and away": [
        ("create", None, DEFAULTED),
        ("edit", 99, (99, None)),
        ("edit", 128, (128, None)),
        ("edit", None, DEFAULTED),
    ],
    "replace by a manifest without a limit and with one": [
        ("create", 7, (7, None)),
        ("replace", None, DEFAULTED),
        ("replace", 128, (128, None)),
        ("replace", None, DEFAULTED),
    ],
    "an export that is replaced, applied and restored": [
        ("create", None, DEFAULTED),
        ("export", None, DEFAULTED),
        ("replace_export", None, DEFAULTED),
        ("apply_export", None, DEFAULTED),
        ("restore", None, DEFAULTED),
        ("apply_export", None, DEFAULTED),
        ("ssa", None, DEFAULTED),
        ("edit", 64, (64, None)),
    ],
    "a restored limit of the user's": [
        ("create", 128, (128, None)),
        ("export", None, (128, None)),
        ("restore", None, (128, None)),
    ],
}


@pytest.mark.parametrize("steps", WAYS.values(), ids=WAYS.keys())
@pytest.mark.usefixtures("served")
async def test_what_stands_in_the_object_after_each_step(user: User, steps: list[Step]) -> None:
    for number, (step, depth, expected) in enumerate(steps):
        assert await user.does(step, depth) == expected, (number, step)


@pytest.mark.parametrize("way", ["apply", "ssa", "argo", "replace"])
@pytest.mark.parametrize("spec", [{}, {"degradation": {}}, {"degradation": {"maxTokens": 100}}], ids=str)
@pytest.mark.usefixtures("served")
async def test_the_same_manifest_again_changes_nothing(user: User, way: str, spec: Any) -> None:
    await user.does("create" if way == "replace" else way, **spec)
    before = await user.version()
    for _ in range(3):
        assert await user.does(way, **spec) == DEFAULTED
    assert await user.version() == before


@pytest.mark.parametrize("way", ["apply", "ssa"])
@pytest.mark.usefixtures("served")
async def test_kubectl_diff_shows_nothing(user: User, way: str) -> None:
    await user.does(way, degradation={})
    side = ["--server-side"] if way == "ssa" else []
    text = manifest(user.kubectl.namespace, degradation={})
    assert await user.kubectl("diff", *side, "-f", "-", text=text) == ""
    with pytest.raises(KubectlError, match="maxDepth: 9"):
        await user.kubectl("diff", *side, "-f", "-", text=manifest(user.kubectl.namespace, 9, degradation={}))


@pytest.mark.usefixtures("served")
async def test_a_dry_run_shows_what_is_filled_in_and_writes_nothing(user: User) -> None:
    text = manifest(user.kubectl.namespace)
    shown = await user.kubectl(*SSA, "--dry-run=server", "-o", "yaml", text=text)
    assert "maxDepth: 128" in shown
    with pytest.raises(KubectlError, match="not found"):
        await user.kubectl.live()


@pytest.mark.usefixtures("served")
async def test_a_conflict_names_the_other_manager_of_a_limit_and_never_the_webhook(user: User) -> None:
    await user.does("argo")
    await user.does("ssa", 64)
    with pytest.raises(KubectlError, match='conflict with "kubectl"'):
        await user.does("argo", 32)


async def test_a_changed_default_reaches_what_nobody_wrote_and_nothing_else(
    user: User, installation: Installation
) -> None:
    for way, explicit in (("apply", "apply"), ("ssa", "ssa"), ("create", "ssa"), ("create", "replace")):
        async with running(installation):
            assert await user.does(way) == DEFAULTED
        async with running(installation, default=256):
            assert await user.does("label") == (256, "256 from Default")
        async with running(installation):
            assert await user.does("label") == DEFAULTED
            assert await user.does(explicit, 128) == (128, None)
        async with running(installation, default=256):
            assert await user.does("label") == (128, None)
        await user.kubectl("delete", RESOURCE, "qwen")


async def test_an_export_of_an_old_default_is_applied_again_and_again_without_a_change(
    user: User, installation: Installation
) -> None:
    async with running(installation):
        await user.does("ssa")
        await user.does("export")
    async with running(installation, default=256):
        for _ in range(2):  # the second one notes who asks for 128, and no third does
            assert await user.does("apply_export") == (256, "256 from Default")
        before = await user.version()
        for _ in range(3):
            assert await user.does("apply_export") == (256, "256 from Default")
        assert await user.version() == before


async def _annotate(user: User, text: str) -> str:
    return await user.kubectl("annotate", "--overwrite", RESOURCE, "qwen", text)


@pytest.mark.usefixtures("served")
async def test_calibration_comes_changes_and_goes(user: User) -> None:
    annotation = "tidegate.io/calibrated-max-depth"
    await user.does("ssa")
    await _annotate(user, f"{annotation}=96")
    assert depth_and_note(await user.kubectl.live()) == (96, "96 from Calibration")
    before = await user.version()
    assert await user.does("ssa") == (96, "96 from Calibration")
    assert await user.version() == before
    assert "is ignored: it must be a whole number" in await _annotate(user, f"{annotation}=many")
    assert depth_and_note(await user.kubectl.live()) == DEFAULTED
    await _annotate(user, f"{annotation}=48")
    assert await user.does("ssa", 64) == (64, None)
    assert await user.does("ssa") == (48, "48 from Calibration")
    await _annotate(user, f"{annotation}-")
    assert depth_and_note(await user.kubectl.live()) == DEFAULTED


def _steps(item: Any) -> tuple[list[tuple[int, int]] | None, str | None]:
    steps = (item["spec"].get("degradation") or {}).get("steps")
    pairs = None if steps is None else [(step["above"], step["maxTokens"]) for step in steps]
    return pairs, item["metadata"].get("annotations", {}).get(STEPS_NOTE)


@pytest.mark.parametrize("way", ["apply", "ssa"])
@pytest.mark.usefixtures("served")
async def test_the_steps_of_degradation_follow_the_limit_until_a_user_writes_some(
    user: User, way: str
) -> None:
    async def after(depth: int | None = None, **spec: Any) -> Any:
        await user.does(way, depth, **spec)
        return _steps(await user.kubectl.live())

    defaults = [(32, 128), (64, 96), (96, 64)]
    note = "128 above 32, 96 above 64, 64 above 96"
    assert await after() == (None, None)
    assert await after(degradation={}) == (defaults, note)
    assert await after(8, degradation={}) == (
        [(2, 128), (4, 96), (6, 64)],
        "128 above 2, 96 above 4, 64 above 6",
    )
    assert (await after(degradation={"maxTokens": 100}))[0] == [(32, 100), (64, 96), (96, 64)]
    assert await after(1, degradation={"maxTokens": 50}) == ([(1, 50)], "50 above 1")
    own = {"steps": [{"above": above, "maxTokens": tokens} for above, tokens in defaults]}
    assert await after(degradation={}) == (defaults, note)
    assert await after(degradation=own) == (defaults, None)
    assert await after(8, degradation=own) == (defaults, None)
    assert await after(degradation={"steps": []}) == ([], None)
    assert await after(degradation={}) == (defaults, note)
    assert await after() == (None, None)


async def test_helm_installs_upgrades_and_rolls_back_without_a_stray_change(
    user: User, installation: Installation, server: ApiServer, tmp_path: Path
) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: team\nversion: 1.0.0\n")
    helm = Helm(find_helm(), tmp_path, server.kubeconfig)

    async def upgrade(depth: int | None = None, label: str = "a") -> Any:
        text = manifest(user.kubectl.namespace, depth).replace(
            "metadata:", f"metadata:\n  labels: {{x: {label}}}"
        )
        (chart / "templates" / "service.yaml").write_text(text)
        where = ("--namespace", user.kubectl.namespace)
        await asyncio.to_thread(helm, "upgrade", "--install", "team", str(chart), *where)
        return depth_and_note(await user.kubectl.live())

    async with running(installation):
        assert await upgrade() == DEFAULTED
        before = await user.version()
        assert await upgrade() == DEFAULTED
        assert await user.version() == before
        assert await upgrade(64) == (64, None)
        assert await upgrade(128) == (128, None)
        assert await upgrade(label="b") == DEFAULTED
        where = ("--namespace", user.kubectl.namespace)
        await asyncio.to_thread(helm, "rollback", "team", "3", *where)
        assert depth_and_note(await user.kubectl.live()) == (64, None)
