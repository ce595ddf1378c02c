"""Control groups of both versions, over a made-up /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.local.processes.cgroups import Cgroups, find_cgroups
from tidegate.local.processes.own_cgroup import memory_limit, own_cgroup

GIB = 1024**3


def host(root: Path, membership: str, mounts: list[str]) -> None:
    proc = root / "proc/self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(membership)
    lines = [f"{number} 1 0:{number} {line}" for number, line in enumerate(mounts, 30)]
    (proc / "mountinfo").write_text("\n".join(lines) + "\n")


def first(root: Path) -> None:
    """Version 1, with a memory group of its own."""
    host(
        root,
        "3:cpuset:/\n2:memory:/mine\n1:cpu,cpuacct:/\n0::/\n",
        [
            "/ /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset",
            "/ /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
            "/ /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
            "/ /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        ],
    )
    cpuset, memory = root / "sys/fs/cgroup/cpuset", root / "sys/fs/cgroup/memory/mine"
    for folder in (cpuset, memory, root / "sys/fs/cgroup/cpu,cpuacct", root / "sys/fs/cgroup/unified"):
        folder.mkdir(parents=True)
    (cpuset / "cpuset.cpus").write_text("0-3\n")
    (cpuset / "cpuset.mems").write_text("0\n")


def prepare(folder: Path, *names: str) -> None:
    """What the kernel puts into a new group."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("")


def test_version_1_has_a_group_in_each_hierarchy(tmp_path: Path) -> None:
    first(tmp_path)
    top = tmp_path / "sys/fs/cgroup"
    for group in ("cpuset/ours", "memory/mine/ours", "cpu,cpuacct/ours"):
        prepare(top / group, "tasks", "cpuset.cpus", "cpuset.mems")
        name = f"{group}/uid"
        prepare(top / name, "tasks", "cpuset.cpus", "cpuset.mems")
    groups = find_cgroups("ours", tmp_path)
    assert dict(groups.parents) == {
        "cpuset": top / "cpuset/ours",
        "memory": top / "memory/mine/ours",
        "cpuacct": top / "cpu,cpuacct/ours",
    }
    assert groups.complete
    folders = groups.make("uid", "1-2", 3 * GIB)
    assert folders == tuple(parent / "uid" for parent in groups.parents.values())
    assert (folders[0] / "cpuset.cpus").read_text() == "1-2"
    assert (folders[0] / "cpuset.mems").read_text() == "0"
    assert (folders[1] / "memory.limit_in_bytes").read_text() == str(3 * GIB)
    assert groups.entries("uid") == tuple(folder / "tasks" for folder in folders)
    (folders[1] / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert groups.oom_kills("uid") == 2
    assert groups.known() == {"uid"}
    assert groups.pin("uid", "3")
    assert (folders[0] / "cpuset.cpus").read_text() == "3"


def second(root: Path, path: str, procs: str = "1\n") -> Path:
    host(root, f"0::{path}\n", ["/ /sys/fs/cgroup rw - cgroup2 cgroup2 rw"])
    own = root / "sys/fs/cgroup" / path.lstrip("/")
    prepare(own, "cgroup.subtree_control")
    (own / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (own / "cgroup.procs").write_text(procs)
    return own


def test_version_2_has_one_group_beside_that_of_the_supervisor(tmp_path: Path) -> None:
    own = second(tmp_path, "/unit/supervisor")
    unit = own.parent
    prepare(unit, "cgroup.subtree_control")
    (unit / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    prepare(unit / "ours", "cgroup.subtree_control")
    groups = find_cgroups("ours", tmp_path)
    assert groups == Cgroups({"cpuset": unit / "ours", "memory": unit / "ours"}, unified=True)
    assert (unit / "cgroup.subtree_control").read_text() == "+cpuset +memory"
    assert (unit / "ours/cgroup.subtree_control").read_text() == "+cpuset +memory"
    (folder,) = groups.make("uid", "1", GIB)
    assert (folder / "memory.max").read_text() == str(GIB)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "cpuset.cpus").read_text() == "1"
    assert groups.entries("uid") == (folder / "cgroup.procs",)
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 1\n")
    assert groups.oom_kills("uid") == 1


def test_version_2_moves_a_supervisor_that_is_alone_in_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 4711)
    own = second(tmp_path, "/unit", "4711\n")
    prepare(own / "ours", "cgroup.subtree_control")
    prepare(own / "supervisor", "cgroup.procs")
    assert find_cgroups("ours", tmp_path).parents["memory"] == own / "ours"
    assert (own / "supervisor/cgroup.procs").read_text() == "0"


def test_a_group_with_others_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    own = second(tmp_path, "/session", "4711\n4712\n")
    (own / "cgroup.subtree_control").unlink()
    (own / "cgroup.subtree_control").mkdir()  # a write into it fails, as the kernel's EBUSY
    assert find_cgroups("ours", tmp_path).parents == {}
    assert not (own / "supervisor").exists()


def test_without_any_group_nothing_can_be_made(tmp_path: Path) -> None:
    groups = find_cgroups("ours", tmp_path)
    assert groups.parents == {}
    assert not groups.complete
    assert (groups.make("uid", "1", GIB), groups.entries("uid"), groups.oom_kills("uid")) == ((), (), 0)
    assert not groups.pin("uid", "1")
    assert groups.known() == set()


def test_cores_are_not_kept_where_a_worker_has_no_group(tmp_path: Path) -> None:
    first(tmp_path)
    (tmp_path / "sys/fs/cgroup/cpuset/ours").mkdir()
    (tmp_path / "sys/fs/cgroup/cpuset/ours/tasks").write_text("")
    groups = find_cgroups("ours", tmp_path)
    assert "cpuset" in groups.parents
    assert not groups.pin("uid", "3")


def test_groups_that_a_predecessor_made_elsewhere_are_a_workers_too(tmp_path: Path) -> None:
    second(tmp_path, "/unit/supervisor")
    other = tmp_path / "session/ours/uid"
    prepare(other, "cpuset.cpus")
    (other / "memory.events").write_text("oom_kill 2\n")
    groups = find_cgroups("ours", tmp_path)
    groups.know("uid", [str(other), str(tmp_path / "session"), str(tmp_path / "gone/uid")])
    assert groups.folders("uid") == (other,), "what has another name is no worker's"
    assert "uid" in groups.known()
    assert groups.oom_kills("uid") == 2
    assert groups.entries("uid") == (), "its next process begins here"
    assert groups.pin("uid", "3")
    assert (other / "cpuset.cpus").read_text() == "3"
    for file in other.iterdir():  # of a control group's own files rmdir takes no notice
        file.unlink()
    groups.remove("uid")
    assert not (tmp_path / "session/ours").exists()
    assert groups.known() == set()


def test_the_memory_of_a_container_is_what_its_groups_allow(tmp_path: Path) -> None:
    own = second(tmp_path, "/pod/container")
    (own / "memory.max").write_text("max\n")
    assert memory_limit(own_cgroup(tmp_path)) is None
    (own.parent / "memory.max").write_text(f"{2 * GIB}\n")
    assert memory_limit(own_cgroup(tmp_path)) == 2 * GIB


def test_what_a_container_mounts_stands_at_the_top_of_its_mount(tmp_path: Path) -> None:
    host(tmp_path, "0::/docker/abc\n", ["/docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw"])
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    assert own_cgroup(tmp_path).second == tmp_path / "sys/fs/cgroup"
