"""What podman and docker say of themselves, as they say it on machines that differ."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tidegate.local.containers.container_runtime import Runtime, find, read_info


def podman(controllers: list[str], *, rootless: bool) -> dict[str, Any]:
    host = {"cgroupControllers": controllers, "security": {"rootless": rootless}}
    return {"host": host, "store": {}, "version": {"Version": "5.2.0"}}


DOCKER = {
    "OperatingSystem": "Debian GNU/Linux 12",
    "CPUSet": True,
    "MemoryLimit": True,
    "SecurityOptions": [],
}


@pytest.mark.parametrize(
    ("said", "cpuset", "memory"),
    [
        (podman(["cpuset", "cpu", "memory", "pids"], rootless=False), True, True),
        (podman(["memory", "pids"], rootless=True), False, True),
        (podman(["cpuset", "memory"], rootless=True), True, True),
        (podman([], rootless=True), False, False),
        ({"host": {"cgroupControllers": None, "security": {"rootless": True}}}, False, False),
    ],
)
def test_podman_can_what_its_controllers_can(said: dict[str, Any], cpuset: bool, memory: bool) -> None:
    found = read_info("/usr/bin/podman", said)
    assert (found.kind, found.cpuset, found.memory) == ("podman", cpuset, memory)


def test_docker_says_it_field_by_field() -> None:
    found = read_info("/usr/bin/docker", {**DOCKER, "CPUSet": False})
    assert found == Runtime("/usr/bin/docker", "docker", rootless=False, cpuset=False, memory=True)


def test_podman_under_the_name_of_docker_is_podman() -> None:
    assert read_info("/usr/bin/docker", podman(["memory"], rootless=True)).kind == "podman"


@pytest.mark.parametrize(
    ("changed", "which"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, "rootless Docker"),
        ({"OperatingSystem": "Docker Desktop"}, "Docker Desktop"),
    ],
)
def test_a_docker_whose_network_is_not_the_machines_is_refused(changed: dict[str, Any], which: str) -> None:
    with pytest.raises(ValueError, match=f"{which} has a network of its own.*use podman"):
        read_info("/usr/bin/docker", {**DOCKER, **changed})


def test_a_daemon_that_cannot_be_asked_is_named_with_its_words() -> None:
    with pytest.raises(ValueError, match=r"^/usr/bin/docker: Cannot connect to the Docker daemon"):
        read_info("/usr/bin/docker", {"ServerErrors": ["Cannot connect to the Docker daemon"]})


async def test_a_question_that_is_cancelled_as_its_answer_comes_is_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever asks in a loop, such as who moves workers to other cores, must be able to end."""
    asked, answers = asyncio.Event(), asyncio.Event()

    class Client:
        returncode = 0

        async def communicate(self) -> tuple[bytes, bytes]:
            asked.set()
            await answers.wait()
            return b"", b""

    async def started(*_: str, **__: int) -> Client:
        return Client()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
    runtime = Runtime("podman", "podman", rootless=False, cpuset=True, memory=True)
    asking = asyncio.create_task(find(runtime, "mine"))
    await asked.wait()
    answers.set()
    asking.cancel()
    await asyncio.wait((asking,))
    assert asking.cancelled()
