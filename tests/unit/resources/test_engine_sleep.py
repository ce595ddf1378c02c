"""spec.engine.sleep: what the worker's container gets of it, and what it gets without."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.resources.services import IMAGES, service
from tidegate.resources.deployment import build_deployment

Json = dict[str, Any]
GPUS = {"cpu": 4, "memory": "64Gi", "accelerator": {"resource": "nvidia.com/gpu", "count": 2}}


def engine(**spec: Any) -> Json:
    template = build_deployment(service(**spec), IMAGES)["spec"]["template"]
    found: Json = template["spec"]["containers"][0]
    return found


def variables(container: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if each["name"].startswith("TIDEGATE_")}


def test_without_it_nothing_of_the_container_is_about_sleep() -> None:
    assert "sleep" not in " ".join(engine(resources=GPUS)["args"])
    assert set(variables(engine(resources=GPUS))) == {"TIDEGATE_DRAIN_SECONDS"}


@pytest.mark.parametrize("level", [1, 2])
def test_vllm_gets_its_flag_and_the_worker_when_how_deeply_and_how_long(level: int) -> None:
    sleep = {"afterSeconds": 60, "level": level}
    found = engine(resources=GPUS, engine={"sleep": sleep, "startupDeadlineSeconds": 600})
    assert found["args"].count("--enable-sleep-mode") == 1
    told = variables(found)
    del told["TIDEGATE_DRAIN_SECONDS"]
    assert told == {
        "TIDEGATE_SLEEP_AFTER_SECONDS": "60",
        "TIDEGATE_SLEEP_LEVEL": str(level),
        "TIDEGATE_WAKE_SECONDS": "600",
    }


def test_it_goes_with_several_devices_and_the_users_arguments_stay_last() -> None:
    args = engine(resources=GPUS, engine={"sleep": {"afterSeconds": 9}, "args": ["--dtype", "half"]})["args"]
    assert args[-5:] == ["--tensor-parallel-size", "2", "--enable-sleep-mode", "--dtype", "half"]


def test_a_developers_endpoint_is_never_opened_for_it() -> None:
    names = [each["name"] for each in engine(resources=GPUS, engine={"sleep": {"afterSeconds": 9}})["env"]]
    assert "VLLM_SERVER_DEV_MODE" not in names


def test_the_cache_of_what_is_compiled_is_told_to_the_worker_only_where_there_is_one() -> None:
    assert "TIDEGATE_COMPILE_CACHE" not in variables(engine())
    found = engine(cache={"claim": "models"})
    place = variables(found)["TIDEGATE_COMPILE_CACHE"]
    assert {"name": "cache", "subPath": "compile", "mountPath": place} in found["volumeMounts"]
