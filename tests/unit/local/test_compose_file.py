"""The example for docker compose says what a container of tidegate needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.api.spec import InferenceServiceSpec
from tidegate.gateway.settings import GatewaySettings
from tidegate.local.manifests.legacy_environment import SUPERVISOR
from tidegate.local.worker.engines import engine_settings
from tidegate.resources.draining import grace_seconds

FOLDER = Path(__file__).parents[3] / "examples/local"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
# Of the Compose specification's service; a misspelt one would be an error of docker compose.
KNOWN = {
    *("cap_drop", "command", "deploy", "environment", "healthcheck", "image", "init", "ports", "profiles"),
    *("read_only", "restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "ulimits", "volumes"),
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_word_is_one_of_the_specification(service: dict[str, Any]) -> None:
    assert set(service) <= KNOWN


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_stop_waits_for_both_drains(service: dict[str, Any]) -> None:
    minutes = re.fullmatch(r"(\d+)m", service["stop_grace_period"])
    assert minutes
    spec = InferenceServiceSpec.model_validate(
        {"model": {"uri": "file:///m"}, "resources": {"cpu": 1, "memory": "1Gi"}}
    )
    assert int(minutes[1]) * 60 >= GatewaySettings().drain_seconds + grace_seconds(spec)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_is_written_lies_in_volumes_that_are_declared(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    volumes = {mount["source"] for mount in service["volumes"] if mount["type"] == "volume"}
    assert volumes == set(COMPOSE["volumes"])
    assert all(mount["read_only"] for mount in service["volumes"] if mount["type"] == "bind")


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_only_this_machine_reaches_it_and_only_its_clients_port(service: dict[str, Any]) -> None:
    assert service["ports"] == ["127.0.0.1:8080:8080"]
    assert service["cap_drop"] == ["ALL"]


def test_the_gpu_is_asked_for_where_there_is_one_to_ask_for() -> None:
    (device,) = SERVICES["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert "deploy" not in SERVICES["cpu"]
    assert {name: service["profiles"] for name, service in SERVICES.items()} == {
        "cpu": ["cpu"],
        "gpu": ["gpu"],
    }


@pytest.mark.parametrize("place", ["/var/lib/tidegate", "/var/cache/tidegate"])
def test_the_image_has_the_folders_of_its_volumes_for_its_user(place: str) -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    assert re.search(rf"install -d -o 1000 -g 1000 .*{place}", dockerfile)
    assert "USER 1000:1000" in dockerfile


def test_a_build_may_copy_what_the_dockerfiles_copy() -> None:
    """Docker leaves out what .dockerignore does not name, and fails."""
    root = FOLDER.parents[1]
    allowed = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for file in (root / "Dockerfile", FOLDER / "Dockerfile"):
        for source in re.findall(r"^COPY (?!--from)(\S+) ", file.read_text(), re.MULTILINE):
            inside = [each for each in allowed if each == source or each.startswith(f"{source}/")]
            inside += [each for each in allowed if source.startswith(f"{each}/")]
            assert inside, f"{file.name}: {source}"


def test_every_command_of_compose_works_without_variables() -> None:
    """Compose fills them in before any of its commands, ``exec`` and ``down`` too."""
    used = re.findall(r"\$\{[^}]*\}", (FOLDER / "compose.yaml").read_text())
    assert used
    assert all(re.fullmatch(r"\$\{[A-Z_]+:-[^}]+\}", each) for each in used), used


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_nothing_can_be_switched_off_that_the_command_needs(service: dict[str, Any]) -> None:
    """Without its supervisor ``up`` takes one file, and this one names a folder."""
    assert service["command"][:3] == ["up", "-f", "/etc/tidegate"]
    assert SUPERVISOR not in service["environment"]


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_compiled_kernels_are_kept_in_a_volume(service: dict[str, Any]) -> None:
    lines = (FOLDER / "Dockerfile").read_text().partition("\nENV ")[2].partition("\nUSER ")[0]
    settings = engine_settings(Path("/srv/models"), dict(re.findall(r"([A-Z_]+)=([^\s\"]+)", lines)))
    kept = [mount["target"] for mount in service["volumes"] if mount["type"] == "volume"]
    assert any(settings.compiled_folder.is_relative_to(target) for target in kept)


def test_the_image_imports_nothing_from_the_present_folder() -> None:
    assert "python -P -m tidegate.cli" in (FOLDER / "Dockerfile").read_text()
