"""The systemd unit: what it says, that systemd takes it, and that a user's has only what works for a user."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tidegate.gateway.settings import GatewaySettings
from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_set import Machine
from tidegate.local.service.units import MARK, Unit, quoted, render, stop_seconds

COMMAND = (sys.executable, "-P", "-m", "tidegate.cli", "up", "-f", "/srv/models.yaml")
USERS = Unit(COMMAND, stop_seconds=675, version=252)
SYSTEMS = replace(USERS, system=True)
UNITS = {
    "user": USERS,
    "user with podman": replace(USERS, containers="podman"),
    "user with PYTHONPATH": replace(USERS, environment={"PYTHONPATH": "/a b:/c%d$e"}),
    "system": SYSTEMS,
    "system with docker": replace(SYSTEMS, containers="docker", groups=("root",)),
    "system of a user": replace(SYSTEMS, user="root", binds_low=True, rooted=True),
}

# systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5), systemd.resource-control(5), of 252.
EVERYWHERE = {
    "Unit": {"Description"},
    "Service": {
        *("Type", "ExecStart", "Environment", "EnvironmentFile", "Restart", "RestartSec"),
        *("RestartPreventExitStatus", "KillMode", "TimeoutStopSec", "Delegate", "OOMPolicy", "LimitNOFILE"),
        *("UMask", "NoNewPrivileges", "RestrictSUIDSGID", "RestrictAddressFamilies", "RestrictNamespaces"),
        *("RestrictRealtime", "LockPersonality", "SystemCallArchitectures", "SystemCallFilter"),
        *("SystemCallErrorNumber", "MemoryDenyWriteExecute"),
    },
    "Install": {"WantedBy"},
}
# They need a mount namespace, a filter of devices, another user or capabilities: a user's systemd has no such
# right.
OF_THE_SYSTEM = {
    "Unit": {"Wants", "After"},
    "Service": {
        *(
            "DynamicUser",
            "User",
            "SupplementaryGroups",
            "StateDirectory",
            "StateDirectoryMode",
            "CacheDirectory",
        ),
        *("ProtectSystem", "ProtectHome", "PrivateTmp", "ProtectKernelTunables", "ProtectKernelModules"),
        *("ProtectKernelLogs", "ProtectClock", "ProtectHostname", "ProtectProc", "ProtectControlGroups"),
        *("DevicePolicy", "DeviceAllow", "CapabilityBoundingSet", "AmbientCapabilities", "RemoveIPC"),
    },
    "Install": set[str](),
}


def settings(text: str) -> dict[str, list[tuple[str, str]]]:
    """Each section's settings; whatever is neither one nor a comment fails."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, line
            section.append((name, value))
    return sections


def value(unit: Unit, name: str) -> str:
    (found,) = [text for key, text in settings(render(unit))["Service"] if key == name]
    return found


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_every_setting_is_one_that_systemd_knows_there(unit: Unit) -> None:
    for section, found in settings(render(unit)).items():
        known = EVERYWHERE[section] | (OF_THE_SYSTEM[section] if unit.system else set())
        assert {name for name, _ in found} <= known


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_every_setting_has_its_reason_above_it(unit: Unit) -> None:
    lines = render(unit).partition("[Service]\n")[2].partition("\n\n")[0].splitlines()
    assert lines[0].startswith("# ")
    reasons = [line for line in lines if line.startswith("#")]
    assert all(len(line.split()) > 2 for line in reasons)
    assert not any("#" == first[0] == second[0] for first, second in pairwise(lines))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_systemd_has_nothing_to_say_against_it(unit: Unit, tmp_path: Path) -> None:
    file = tmp_path / "tidegate.service"
    file.write_text(render(unit))
    file.chmod(0o644)  # whatever the umask: systemd warns of one that everybody may write
    scope = "--system" if unit.system else "--user"
    done = subprocess.run(
        ["systemd-analyze", "verify", scope, "--man=no", "--recursive-errors=no", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "tidegate" in line]) == (0, [])


def test_it_begins_with_the_mark_by_which_it_is_known() -> None:
    assert render(USERS).startswith(MARK + "\n")


def test_a_stop_has_the_time_of_both_drains() -> None:
    assert value(USERS, "TimeoutStopSec") == "675"


def test_an_end_is_tidegates_own_business_and_so_is_a_workers() -> None:
    assert value(USERS, "KillMode") == "mixed", "a worker's SIGTERM comes after the gateway's drain"
    assert value(USERS, "OOMPolicy") == "continue"
    assert value(USERS, "Delegate") == "cpu cpuset memory pids"


def test_the_longest_grace_of_all_manifests_counts(tmp_path: Path) -> None:
    manifest = """
        apiVersion: tidegate.io/v1alpha1
        kind: InferenceService
        metadata: {{name: {name}}}
        spec:
          model: {{uri: "file:///m"}}
          resources: {{cpu: 1, memory: 1Gi}}
          queue: {{executionTimeoutSeconds: {seconds}}}
    """
    for name, seconds in (("short", 10), ("long", 600)):
        (tmp_path / f"{name}.yaml").write_text(manifest.format(name=name, seconds=seconds))
    drain = int(GatewaySettings().drain_seconds)
    manifests = ManifestFiles([tmp_path], Machine()).read()
    assert stop_seconds(manifests, drain) == drain + 600 + 30 + 15


def test_memory_that_is_written_and_run_is_allowed_for_kernels_that_are_compiled() -> None:
    assert value(SYSTEMS, "MemoryDenyWriteExecute") == "no"


def test_with_podman_nothing_forbids_what_it_does_to_make_a_container() -> None:
    names = {name for name, _ in settings(render(UNITS["user with podman"]))["Service"]}
    assert not names & {"NoNewPrivileges", "RestrictSUIDSGID", "RestrictNamespaces", "SystemCallFilter"}


def test_a_system_service_belongs_to_nobody_else_unless_a_user_is_named() -> None:
    assert value(SYSTEMS, "DynamicUser") == "yes"
    assert value(replace(SYSTEMS, user="models"), "User") == "models"


def test_a_system_service_keeps_models_and_downloads_where_it_may_write() -> None:
    assert value(SYSTEMS, "ExecStart").endswith(" --root %C/tidegate")
    assert ("Environment", "XDG_CACHE_HOME=%C/tidegate") in settings(render(SYSTEMS))["Service"]
    assert "--root" not in value(replace(SYSTEMS, rooted=True), "ExecStart")


def test_a_low_port_is_the_one_thing_of_roots() -> None:
    assert value(SYSTEMS, "CapabilityBoundingSet") == ""
    low = replace(SYSTEMS, binds_low=True)
    assert value(low, "CapabilityBoundingSet") == value(low, "AmbientCapabilities") == "CAP_NET_BIND_SERVICE"


@pytest.mark.parametrize(("version", "expected"), [(0, False), (252, False), (254, True), (257, True)])
def test_a_subgroup_is_asked_for_where_systemd_knows_it(version: int, expected: bool) -> None:
    assert ("DelegateSubgroup=supervisor" in render(replace(USERS, version=version))) is expected


@pytest.mark.parametrize(
    "word", ["a", "a b", "%h", "$HOME", 'say "it"', "back\\slash", "it's", "", "a;b", "#"]
)
def test_a_word_means_itself_however_it_is_spelt(word: str) -> None:
    text = quoted(word)
    assert shlex.split(text.replace("%%", "%").replace("$$", "$")) == [word]
    assert not text.replace("%%", "").count("%")
