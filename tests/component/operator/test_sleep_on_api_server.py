"""What the API server says of an engine that sleeps; the models, where there is none, say the same."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from tests.component.operator.harness import World
from tidegate.api.v1alpha1 import parse
from tidegate.kube import paths
from tidegate.kube.client import Json
from tidegate.kube.errors import InvalidError

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = {"afterSeconds": 60}
DEEP = SLEEP | {"level": 2}
GPU = {"resource": "nvidia.com/gpu", "count": 1}
MORNING = {"cron": "0 9 * * *", "forSeconds": 3600, "minReplicas": 1}
DEVELOPER = [{"name": "VLLM_SERVER_DEV_MODE", "value": "1"}]


def args(*words: str, sleep: Json = SLEEP) -> Json:
    return {"engine": {"sleep": sleep, "args": list(words)}}


def after(seconds: int, **scaling: Any) -> Json:
    return {"engine": {"sleep": {"afterSeconds": seconds}}, "scaling": scaling}


# Changes of a service that has a device and whose engine sleeps.
REFUSED: list[tuple[Json, str]] = [
    ({"resources": {"cpu": 1, "memory": "1Gi"}}, r"spec\.engine\.sleep.*without resources\.accelerator"),
    (after(180), r"spec\.engine\.sleep\.afterSeconds.*less than scaling\.idleTimeoutSeconds"),
    (after(60, idleTimeoutSeconds=60), r"spec\.engine\.sleep\.afterSeconds.*less than"),
    (args("--enable-sleep-mode"), r"spec\.engine\.args.*the operator gives --enable-sleep-mode"),
    (args("--no-enable-sleep-mode"), r"spec\.engine\.args.*the operator gives --enable-sleep-mode"),
    (args("--kv-transfer-config", "{}"), r"spec\.engine\.args.*another worker may still want the cache"),
    (args("--kv-transfer-config.kv_role=x"), r"spec\.engine\.args.*another worker may still want the cache"),
    (args("--enable-lora", sleep=DEEP), r"spec\.engine\.args.*drops adapters.*set level 1"),
    (args("-sc", "{}", sleep=DEEP), r"spec\.engine\.args.*drops adapters.*set level 1"),
    (args("--load_format=tensorizer", sleep=DEEP), r"spec\.engine\.args.*by default; set level 1"),
    ({"engine": {"sleep": SLEEP, "env": DEVELOPER}}, r"spec\.engine\.env.*any client can put the engine"),
]

ACCEPTED: list[Json] = [
    {},
    {"engine": {"sleep": DEEP}},
    {"engine": {"sleep": DEEP, "args": ["--dtype", "half", "-pp", "1", "--enable-prefix-caching"]}},
    args("--enable-lora", "--load-format", "auto"),
    {"engine": {"args": ["--enable-sleep-mode"], "env": DEVELOPER}},
    {"resources": {"cpu": 1, "memory": "1Gi", "accelerator": GPU | {"count": 4}}},
    after(179),
    after(3600, minReplicas=1),
    after(3600, schedules=[MORNING]),
    after(3600, idleTimeoutSeconds=3601),
]


def manifest(world: World, change: Json) -> Json:
    resources = {"cpu": 1, "memory": "1Gi", "accelerator": GPU}
    least = {"model": {"uri": "hf://a/b"}, "resources": resources, "engine": {"sleep": SLEEP}}
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "one", "namespace": world.namespace},
        "spec": {**copy.deepcopy(least), **copy.deepcopy(change)},
    }


async def create(world: World, body: Json) -> Json:
    path = f"{paths.inference_services(world.namespace)}?fieldValidation=Strict"
    return await world.kube.create(path, body, field_manager="tests")


@pytest.mark.parametrize(("change", "message"), REFUSED)
async def test_what_an_engine_that_sleeps_cannot_have_is_refused_by_both_with_a_sentence(
    world: World, change: Json, message: str
) -> None:
    body = manifest(world, change)
    with pytest.raises(InvalidError, match=f"(?s){message}"):
        await create(world, body)
    with pytest.raises(ValueError, match=message.rpartition(".*")[2]):
        parse(body)


@pytest.mark.parametrize("change", ACCEPTED)
async def test_what_it_can_have_is_taken_by_both(world: World, change: Json) -> None:
    body = manifest(world, change)
    parse(body)
    stored = await create(world, body)
    assert re.match("[12]", str(stored["spec"]["engine"].get("sleep", {"level": 1})["level"]))
