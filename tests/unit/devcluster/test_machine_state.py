"""What the embedded cluster changes on the machine: links, routes, control groups, settings, folders."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.unit.devcluster.recording import Recorder, printed
from tidegate.devcluster.cgroups import OURS, Cgroups
from tidegate.devcluster.debian import NO_SERVICES, Debian
from tidegate.devcluster.disk import need_disk
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.layout import State
from tidegate.devcluster.leftovers import Leftovers
from tidegate.devcluster.mountpoints import MountPoints
from tidegate.devcluster.network import BRIDGE, Links, Network, NodeAddress
from tidegate.devcluster.processes import ProcessTable
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.sysctls import CHANGED_BY_KUBELET, Sysctls

ONE = NodeAddress(0, IPv4Network("10.244.0.0/24"))
TWO = NodeAddress(1, IPv4Network("10.244.1.0/24"))
SERVICES = IPv4Network("10.96.0.0/16")


def routes(*found: Mapping[str, str]) -> Recorder:
    return Recorder({"ip -4 -j route": printed(json.dumps(found))})


def links(folder: Path, *names: str, owner: str = "") -> Links:
    for name in ("lo", "eth0", *names):
        (folder / "net" / name).mkdir(parents=True)
        (folder / "net" / name / "ifalias").write_text(f"{owner}\n")
    return Links(folder / "net")


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "state")
    state.make()
    return state


def test_a_node_is_connected_like_another_machine() -> None:
    runner = Recorder()
    Network(runner, SERVICES, [ONE, TWO]).connect(ONE, 77)
    assert runner.lines == [
        "ip link add tidegate-n1 type veth peer name eth0 netns 77",
        "ip link set tidegate-n1 master tidegate0 up",
        "nsenter --target 77 --net -- ip -batch -",
        "ip route replace 10.244.0.0/24 via 10.95.0.1",
        "ip route replace 10.96.0.0/16 via 10.95.0.1",
    ]
    inside = (runner.stdins[2] or "").splitlines()
    assert "route add blackhole 10.244.0.0/24" in inside
    assert "route add 10.244.1.0/24 via 10.95.0.2" in inside
    assert not [line for line in inside if "default" in line]


def test_services_are_reached_through_the_first_node_only() -> None:
    runner = Recorder()
    Network(runner, SERVICES, [ONE, TWO]).connect(TWO, 78)
    assert not [line for line in runner.lines if "10.96" in line]


@pytest.mark.parametrize("taken", ["10.96.4.0/24", "10.0.0.0/8", "10.95.0.0/30"])
def test_a_network_that_is_taken_is_named_with_its_device(taken: str) -> None:
    runner = routes({"dst": "default", "dev": "eth0"}, {"dst": taken, "dev": "vpn0"})
    with pytest.raises(ClusterError, match=rf"the network {taken} \(vpn0\) overlaps"):
        Network(runner, SERVICES, [ONE]).require_free()


def test_other_networks_and_our_own_bridge_are_no_obstacle() -> None:
    runner = routes({"dst": "192.0.2.0/24", "dev": "eth0"}, {"dst": "10.96.0.0/16", "dev": BRIDGE})
    Network(runner, SERVICES, [ONE]).require_free()


def test_only_our_links_are_ours(tmp_path: Path) -> None:
    found = links(tmp_path, BRIDGE, "tidegate-n1", "docker0", "tidegate-other", owner="/state")
    assert found.ours() == ["tidegate-n1", BRIDGE]
    assert found.owner() == "/state"


def test_where_nothing_was_ever_started_nobody_owns_anything(tmp_path: Path) -> None:
    found = links(tmp_path)
    assert (found.ours(), found.owner()) == ([], None)


@pytest.fixture
def version1(tmp_path: Path) -> Path:
    root = tmp_path / "cgroup"
    for controller in ("cpuset", "memory"):
        (root / controller).mkdir(parents=True)
        (root / controller / "cgroup.procs").touch()
    (root / "cpuset" / "cpuset.cpus").write_text("0-3\n")
    return root


def test_control_groups_of_version_1_get_cores_to_hand_down(version1: Path) -> None:
    groups = Cgroups(version1)
    group = version1 / "cpuset" / OURS
    group.mkdir()
    (group / "cpuset.cpus").write_text("\n")  # as the kernel makes it: empty
    groups.make("node-1")
    assert (group / "cpuset.cpus").read_text() == "0-3\n"
    assert (version1 / "memory" / OURS / "node-1").is_dir()


def test_control_groups_of_version_2_hand_every_controller_down(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpu cpuset memory\n")
    (root / "cgroup.subtree_control").touch()
    Cgroups(root).make("node-1")
    assert (root / "cgroup.subtree_control").read_text() == "+cpu +cpuset +memory"
    assert (root / OURS / "node-1").is_dir()


def test_only_our_control_groups_are_removed(version1: Path) -> None:
    (version1 / "memory" / "kubepods").mkdir()
    groups = Cgroups(version1)
    groups.make("node-1")
    groups.remove()
    assert groups.ours() == []
    assert (version1 / "memory" / "kubepods").is_dir()


def test_a_control_group_that_cannot_be_removed_is_still_named(version1: Path) -> None:
    groups = Cgroups(version1)
    groups.make("node-1")
    (version1 / "memory" / OURS / "node-1" / "busy").touch()
    groups.remove()
    assert groups.ours() == [version1 / "memory" / OURS / "node-1", version1 / "memory" / OURS]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    root = tmp_path / "sys"
    for name in CHANGED_BY_KUBELET:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("0\n")
    return root


def test_settings_that_a_kubelet_changes_are_put_back(state: State, settings: Path) -> None:
    sysctls = Sysctls(state, settings)
    sysctls.remember()
    (settings / "vm/overcommit_memory").write_text("1\n")
    sysctls.remember()  # after a killed run: the first memory stands
    sysctls.restore()
    assert (settings / "vm/overcommit_memory").read_text() == "0\n"


def test_nothing_is_put_back_where_nothing_was_remembered(state: State, settings: Path) -> None:
    (settings / "vm/overcommit_memory").write_text("1\n")
    Sysctls(state, settings).restore()
    assert (settings / "vm/overcommit_memory").read_text() == "1\n"


def test_folders_that_were_there_before_stay(state: State, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    points = MountPoints(state)
    points.make([tmp_path / "var" / "lib" / "kubelet", tmp_path / "var"])
    assert (tmp_path / "var" / "lib" / "kubelet").is_dir()
    points.remove()
    assert (tmp_path / "var").is_dir()
    assert not (tmp_path / "var" / "lib").exists()


def test_a_folder_that_somebody_has_used_since_stays(state: State, tmp_path: Path) -> None:
    points = MountPoints(state)
    points.make([tmp_path / "lib" / "kubelet"])
    (tmp_path / "lib" / "kubelet" / "theirs").touch()
    points.remove()
    assert (tmp_path / "lib" / "kubelet" / "theirs").exists()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[State]:
    """A cluster in another folder, with a process that runs."""
    state = State(tmp_path / "other")
    state.make()
    table = ProcessTable(state)
    table.start("sleeper", ["sleep", "60"])
    yield state
    table.kill_everything()


def test_everything_that_is_left_is_named(state: State, tmp_path: Path, version1: Path) -> None:
    ProcessTable(state).start("etcd", ["sleep", "60"])
    MountPoints(state).make([tmp_path / "point"])
    Cgroups(version1).make("node-1")
    runner = routes({"dst": "10.96.0.0/16", "dev": BRIDGE})
    links_here = links(tmp_path, BRIDGE, owner=str(state.root))
    found = "\n".join(Leftovers(runner, state, Cgroups(version1), links_here).find())
    ProcessTable(state).kill_everything()
    assert "(sleep)" in found
    assert f"link {BRIDGE}" in found
    assert "route 10.96.0.0/16" in found
    assert f"control group {version1}/cpuset/{OURS}/node-1" in found
    assert f"folder {tmp_path}/point" in found


def test_another_cluster_that_runs_is_left_alone(
    state: State, other: State, version1: Path, tmp_path: Path
) -> None:
    Cgroups(version1).make("node-1")
    runner = Recorder()
    links_here = links(tmp_path, BRIDGE, "tidegate-n1", owner=str(other.root))
    assert Leftovers(runner, state, Cgroups(version1), links_here).remove() == []
    assert runner.lines == []
    assert Cgroups(version1).ours()
    assert ProcessTable(other).alive("sleeper")


def test_what_a_dead_cluster_left_is_removed_by_the_next(
    state: State, other: State, version1: Path, tmp_path: Path
) -> None:
    ProcessTable(other).kill_everything()
    runner = Recorder()
    links_here = links(tmp_path, BRIDGE, owner=str(other.root))
    Leftovers(runner, state, Cgroups(version1), links_here).remove()
    assert f"ip link delete {BRIDGE}" in runner.lines


def test_down_needs_no_program_where_nothing_was_ever_started(
    state: State, version1: Path, tmp_path: Path
) -> None:
    runner = Recorder()
    assert Leftovers(runner, state, Cgroups(version1), links(tmp_path)).remove() == []
    assert runner.lines == []


def test_only_packages_whose_programs_are_missing_are_installed(tmp_path: Path) -> None:
    wanted = {"sh": "dash", "no-such-one": "package-a", "no-such-two": "package-a"}
    policy = tmp_path / "policy-rc.d"
    seen: list[str] = []

    def apt(_: list[str]) -> subprocess.CompletedProcess[str]:
        seen.append(policy.read_text())
        return subprocess.CompletedProcess([], 0)

    runner = Recorder()
    debian = Debian(runner, Progress(None), wanted, policy)
    assert debian.missing() == ["package-a"]
    runner.answers = {"apt-get": lambda words: (apt(words), printed(""))[1]}
    debian.install()
    assert [line.split()[5] for line in runner.lines] == ["update", "install"]
    assert runner.lines[1].endswith("--no-install-recommends package-a")
    assert seen == [NO_SERVICES, NO_SERVICES]  # no service may start meanwhile
    assert not policy.exists()


def test_an_administrators_own_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    Debian(Recorder(), Progress(None), {"no-such": "package"}, policy).install()
    assert policy.read_text() == "theirs"


def test_without_root_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    debian = Debian(Recorder(), Progress(None), {"no-such": "containerd"})
    with pytest.raises(ClusterError, match="root is needed to install containerd"):
        debian.install()


def test_too_little_disk_is_said_with_the_numbers(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"needs 1e\+06 GiB of free disk under .*, there are \d"):
        need_disk(tmp_path / "not" / "there" / "yet", 1e6, "a test")
