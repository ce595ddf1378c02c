"""What a cluster without image volumes makes of one: this API server has none by default."""

from __future__ import annotations

import pytest

from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World
from tests.unit.resources.services import desired
from tidegate.api.v1alpha1 import parse
from tidegate.kube import paths
from tidegate.resources.image_volumes import dropped_image_volume

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_it_is_dropped_in_silence_and_the_answer_tells(world: World) -> None:
    raw = await world.create("packed", model={"uri": "oci://registry.example.org/models/a:1"})
    wanted = desired(parse(raw)).deployment
    path = paths.deployment(world.namespace, "packed-worker")
    answer = await world.kube.apply(path, wanted, field_manager="tests")
    cause = dropped_image_volume(wanted, answer)
    assert cause
    assert cause.reason == "NoImageVolumes"
    assert "oci://registry.example.org/models/a:1" in cause.message


async def test_the_operator_says_so_and_does_not_try_without_end(stage: Stage, world: World) -> None:
    await world.create("unpacked", model={"uri": "oci://registry.example.org/models/b:1"})
    await world.phase("unpacked", "Failed")
    assert (await world.condition("unpacked"))["reason"] == "NoImageVolumes"
    await stage.operator.settled()
    assert (await world.replicas("unpacked")) == 0
    applied = [write for write in stage.operator.writes if write.path.endswith("/unpacked-worker")]
    assert len(applied) == 1
