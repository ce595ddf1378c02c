"""The command line that runs a worker in a container."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tidegate.domain.service import ServiceKey
from tidegate.local.containers.command_line import Place, run
from tidegate.local.containers.container_runtime import Runtime
from tidegate.local.worker.template import Mount, WorkerTemplate

PODMAN = Runtime("/usr/bin/podman", "podman", rootless=True, cpuset=True, memory=True)
DOCKER = Runtime("/usr/bin/docker", "docker", rootless=False, cpuset=True, memory=True)
SECRET = "hf_only_for_this_test"  # noqa: S105
TEMPLATE = WorkerTemplate(
    key=ServiceKey("team", "chat"),
    hash="abc",
    command=("--model", "/models/chat", "--port", "8000"),
    environment={"HF_TOKEN": SECRET, "HOME": "/home/inside"},
    resources={},
    cores=2,
    memory=4096,
    shared_memory=1024,
    devices=0,
    device_resource="",
    exclusive=True,
    readiness_path="/v1/models",
    startup_deadline=900,
    grace_seconds=330.0,
    runtime="podman",
    image="example/worker:1",
)
PLACE = Place(
    state="0f0f",
    uid="0123456789ab",
    name="chat-x2x4x",
    host="127.84.0.7",
    cores=(2, 3),
    devices=(),
    message=Path("/state/messages/1"),
    user=(1000, 1001),
)


def values(argv: tuple[str, ...], flag: str) -> list[str]:
    return [value for name, value in pairwise(argv) if name == flag]


def test_a_value_of_the_environment_is_never_on_the_command_line() -> None:
    start = run(PODMAN, TEMPLATE, PLACE)
    assert "HF_TOKEN" in values(start.argv, "--env")
    assert not any(SECRET in word for word in start.argv)
    assert start.environment["HF_TOKEN"] == SECRET


def test_what_the_client_itself_would_obey_is_given_to_the_container_alone() -> None:
    start = run(PODMAN, TEMPLATE, PLACE)
    assert "HOME=/home/inside" in values(start.argv, "--env")
    assert "HOME" not in start.environment


def test_the_worker_listens_on_its_own_address_of_the_machine() -> None:
    start = run(PODMAN, TEMPLATE, PLACE)
    assert start.argv[-7:] == ("example/worker:1", *TEMPLATE.command, "--host", "127.84.0.7")
    assert values(start.argv, "--network") == ["host"]
    assert start.environment["TIDEGATE_ISOLATION_HOST"] == "127.84.0.7"


def test_both_labels_tell_whose_container_it_is() -> None:
    labels = values(run(DOCKER, TEMPLATE, PLACE).argv, "--label")
    assert labels == ["tidegate.io/state=0f0f", "tidegate.io/worker=0123456789ab"]


def test_cores_and_memory_are_asked_for_where_the_runtime_can_give_them() -> None:
    argv = run(PODMAN, TEMPLATE, PLACE).argv
    assert (values(argv, "--cpuset-cpus"), values(argv, "--memory")) == (["2,3"], ["4096"])
    assert values(argv, "--memory-swap") == ["4096"]
    argv = run(replace(PODMAN, cpuset=False, memory=False), TEMPLATE, PLACE).argv
    assert not {"--cpuset-cpus", "--memory", "--memory-swap"} & set(argv)
    assert values(argv, "--shm-size") == ["1024"]


def test_shared_memory_is_bounded_by_the_memory_alone_where_the_manifest_says_nothing_of_it() -> None:
    argv = run(DOCKER, replace(TEMPLATE, shared_memory=None), PLACE).argv
    assert values(argv, "--shm-size") == ["4096"]


def test_a_worker_without_cores_of_its_own_is_held_to_those_that_are_nobodys() -> None:
    shared = replace(TEMPLATE, exclusive=False)
    assert values(run(DOCKER, shared, replace(PLACE, cores=(0, 1, 3))).argv, "--cpuset-cpus") == ["0,1,3"]


def test_a_container_is_confined_as_a_pod_is() -> None:
    argv = run(DOCKER, TEMPLATE, PLACE).argv
    assert "--read-only" in argv
    assert values(argv, "--cap-drop") == ["ALL"]
    assert "no-new-privileges" in values(argv, "--security-opt")
    assert values(argv, "--user") == ["1000:1001"]
    assert "--userns" not in argv
    assert values(run(PODMAN, TEMPLATE, PLACE).argv, "--userns") == ["keep-id"]


@pytest.mark.parametrize(
    ("runtime", "flag", "expected"),
    [
        (DOCKER, "--gpus", ['"device=1,3"']),
        (PODMAN, "--device", ["nvidia.com/gpu=1", "nvidia.com/gpu=3"]),
    ],
)
def test_devices_are_those_that_it_was_given(runtime: Runtime, flag: str, expected: list[str]) -> None:
    template = replace(
        TEMPLATE,
        devices=2,
        device_resource="nvidia.com/gpu",
        environment={"CUDA_VISIBLE_DEVICES": "1,3"},
    )
    start = run(runtime, template, replace(PLACE, devices=("1", "3")))
    assert values(start.argv, flag) == expected
    assert "CUDA_VISIBLE_DEVICES" not in start.argv, "in the container they are 0 and 1"
    assert "CUDA_VISIBLE_DEVICES" not in start.environment


def test_a_device_that_no_runtime_here_can_give_is_refused_with_its_field() -> None:
    template = replace(TEMPLATE, devices=1, device_resource="amd.com/gpu")
    with pytest.raises(ValueError, match=r"^spec\.resources\.accelerator\.resource: amd\.com/gpu cannot"):
        run(PODMAN, template, replace(PLACE, devices=("0",)))


def test_a_folder_is_mounted_whatever_its_name() -> None:
    template = replace(TEMPLATE, mounts=(Mount('/a,"b', "/models"), Mount("/cache", "/hf", read_only=False)))
    mounts = values(run(DOCKER, template, PLACE).argv, "--mount")
    assert mounts == [
        'type=bind,"source=/a,""b",target=/models,readonly',
        "type=bind,source=/cache,target=/hf",
        "type=bind,source=/state/messages/1,target=/dev/termination-log",
    ]


def test_without_a_file_for_the_cause_none_is_mounted() -> None:
    start = run(DOCKER, TEMPLATE, replace(PLACE, message=None))
    assert "--mount" not in start.argv
    assert "TIDEGATE_TERMINATION_MESSAGE" not in start.environment


@pytest.mark.parametrize("runtime", [PODMAN, DOCKER])
def test_the_image_of_a_model_is_pulled_before_it_is_mounted(runtime: Runtime) -> None:
    template = replace(TEMPLATE, mounts=(Mount("example/model:1", "/models/image", kind="image"),))
    argv = run(runtime, template, PLACE).argv
    assert argv[:2] == ("/bin/sh", "-c")
    assert 'pull "$0"' in argv[2]
    assert argv[3:6] == ("example/model:1", runtime.program, "run")
    assert "type=image,source=example/model:1,target=/models/image" in values(argv, "--mount")


def test_equal_templates_make_equal_commands_whatever_the_order_of_their_variables() -> None:
    turned = dict(reversed(list(TEMPLATE.environment.items())))
    assert run(PODMAN, replace(TEMPLATE, environment=turned), PLACE) == run(PODMAN, TEMPLATE, PLACE)
