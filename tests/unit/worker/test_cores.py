"""What a process may use, read from cgroups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tidegate_worker.cgroups import cgroup_folders
from tidegate_worker.cores import count_oom_kills, parse_cpus, read_share

V1_MEMBERSHIP = (
    "11:memory:/kubepods/pod1/engine\n6:cpuset:/kubepods/pod1/engine\n3:cpu,cpuacct:/kubepods/pod1/engine\n"
)
NO_LIMIT_V1 = "9223372036854771712"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-2,5", {0, 1, 2, 5}), ("7", {7}), ("", set()), ("0,2-3\n", {0, 2, 3})]
)
def test_a_list_of_cpus_is_read_with_its_ranges(text: str, cpus: set[int]) -> None:
    assert parse_cpus(text) == cpus


def test_a_container_on_cgroup_v1_finds_its_own_cgroup_at_the_top_of_the_mount(tmp_path: Path) -> None:
    own = min(os.sched_getaffinity(0))
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": V1_MEMBERSHIP,
            "sys/fs/cgroup/cpuset/cpuset.cpus": f"{own}\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "3221225472\n",
        },
    )
    share = read_share(root)
    assert (share.cpus, share.quota, share.memory) == ((own,), 1.0, 3 << 30)


def test_a_container_on_cgroup_v2_reads_the_unified_files(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpuset.cpus.effective": "0-1023\n",
            "sys/fs/cgroup/cpu.max": "250000 100000\n",
            "sys/fs/cgroup/memory.max": "1073741824\n",
        },
    )
    share = read_share(root)
    assert share.cpus == tuple(sorted(os.sched_getaffinity(0)))
    assert (share.quota, share.memory) == (2.5, 1 << 30)


def test_no_limit_is_none_in_both_versions(tmp_path: Path) -> None:
    v1 = {
        "proc/self/cgroup": V1_MEMBERSHIP,
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": NO_LIMIT_V1,
    }
    v2 = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
        "sys/fs/cgroup/memory.max": "max\n",
    }
    for name, files in (("v1", v1), ("v2", v2)):
        share = read_share(write(tmp_path / name, files))
        assert (share.quota, share.memory) == (None, None), name


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/slice/unit\n",
            "sys/fs/cgroup/slice/cpu.max": "100000 100000\n",
            "sys/fs/cgroup/slice/memory.max": "2147483648\n",
            "sys/fs/cgroup/slice/unit/cpu.max": "max 100000\n",
            "sys/fs/cgroup/slice/unit/memory.max": "4294967296\n",
        },
    )
    share = read_share(root)
    assert (share.quota, share.memory) == (1.0, 2 << 30)


def test_a_path_that_leaves_the_mount_means_the_top_of_it(tmp_path: Path) -> None:
    folders = cgroup_folders(write(tmp_path, {"proc/self/cgroup": "0::/../other\n"}))
    assert folders["cpu"] == [tmp_path / "sys/fs/cgroup"]


HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 /kubepods/pod1/engine /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 /kubepods/pod1/engine /sys/fs/cgroup/set\\040of\\040cores ro,nosuid - cgroup cgroup rw,cpuset
41 31 0:38 / /sys/fs/cgroup/unified ro,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
"""


def test_with_both_versions_each_controller_is_looked_for_where_it_is_mounted(tmp_path: Path) -> None:
    own = min(os.sched_getaffinity(0))
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": V1_MEMBERSHIP.replace("11:memory:/kubepods/pod1/engine\n", "0::/service\n"),
            "proc/self/mountinfo": HYBRID,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/set of cores/cpuset.effective_cpus": f"{own}\n",
            "sys/fs/cgroup/set of cores/cpuset.cpus": "0-1023\n",
            "sys/fs/cgroup/unified/service/memory.max": "1073741824\n",
        },
    )
    share = read_share(root)
    assert (share.cpus, share.quota, share.memory) == ((own,), 3.0, 1 << 30)
    assert cgroup_folders(root)["cpuacct"] == [root / "sys/fs/cgroup/cpu,cpuacct"]


def test_a_cgroup_below_the_mounted_one_is_found_by_the_rest_of_its_path(tmp_path: Path) -> None:
    mounted = "30 23 0:28 /kubepods/pod1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    files = {"proc/self/cgroup": "0::/kubepods/pod1/engine/inner\n", "proc/self/mountinfo": mounted}
    limits = {"engine/cpu.max": "max 100000\n", "cpu.max": "150000 100000\n", "engine/inner/cgroup.procs": ""}
    root = write(tmp_path, files | {f"sys/fs/cgroup/{name}": text for name, text in limits.items()})
    top = root / "sys/fs/cgroup"
    assert cgroup_folders(root)["cpu"] == [top / "engine/inner", top / "engine", top]
    assert read_share(root).quota == 1.5


@pytest.mark.parametrize(
    ("partition", "isolated", "balanced"),
    [
        ("member\n", "", True),
        ("root\n", "", True),
        ("isolated\n", "", False),
        ("isolated invalid (Cpu list in cpuset.cpus not exclusive)\n", "", True),
        ("", "0-1023\n", False),
    ],
)
def test_cores_between_which_the_kernel_moves_no_threads_are_known(
    tmp_path: Path, partition: str, isolated: str, balanced: bool
) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpuset.cpus.partition": partition,
        "sys/devices/system/cpu/isolated": isolated,
        "sys/devices/system/cpu/online": "0-1023\n",
    }
    share = read_share(write(tmp_path, files))
    assert (share.balanced, share.singled_out) == (balanced, True)


@pytest.mark.parametrize(
    ("own", "balanced"), [("member", False), ("isolated invalid (x)", False), ("root", True)]
)
def test_a_member_is_in_the_partition_of_the_cgroup_above_it(
    tmp_path: Path, own: str, balanced: bool
) -> None:
    files = {
        "proc/self/cgroup": "0::/batch/worker\n",
        "sys/fs/cgroup/batch/cpuset.cpus.partition": "isolated\n",
        "sys/fs/cgroup/batch/worker/cpuset.cpus.partition": f"{own}\n",
    }
    assert read_share(write(tmp_path, files)).balanced == balanced


def test_all_that_the_machine_has_are_not_singled_out(tmp_path: Path) -> None:
    every = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    files = {"proc/self/cgroup": "0::/\n", "sys/devices/system/cpu/online": f"{every}\n"}
    assert not read_share(write(tmp_path, files)).singled_out


@pytest.mark.parametrize(
    ("membership", "file", "text"),
    [
        ("0::/\n", "memory.events", "low 0\nmax 7\noom 2\noom_kill 2\n"),
        (V1_MEMBERSHIP, "memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ],
)
def test_kills_at_the_memory_limit_are_counted(tmp_path: Path, membership: str, file: str, text: str) -> None:
    files = {"proc/self/cgroup": membership, f"sys/fs/cgroup/{file}": text}
    assert count_oom_kills(write(tmp_path, files)) == 2


@pytest.mark.parametrize(
    ("limit", "told", "memory"),
    [
        ("max", "3221225472", 3 << 30),
        ("1073741824", "3221225472", 1 << 30),
        ("4294967296", "3221225472", 3 << 30),
    ],
    ids=["no limit", "a smaller limit", "a larger limit"],
)
def test_the_memory_that_a_worker_is_told_holds_where_no_smaller_limit_does(
    limit: str, told: str, memory: int, tmp_path: Path
) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{limit}\n"}
    assert read_share(write(tmp_path, files), {"TIDEGATE_MEMORY_BYTES": told}).memory == memory


@pytest.mark.parametrize("told", ["", "0", "3Gi", "-1"])
def test_a_size_of_memory_that_is_none_changes_nothing(told: str, tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824\n"}
    assert read_share(write(tmp_path, files), {"TIDEGATE_MEMORY_BYTES": told}).memory == 1 << 30
