"""What a worker tells of its cores, read from the files of both versions of cgroups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.worker.test_cores import V1_MEMBERSHIP, write
from tidegate_worker.cgroups import cgroup_folders
from tidegate_worker.evidence import read_evidence, read_throttling
from tidegate_worker.own_cgroup import has_own_cgroup
from tidegate_worker.run_queue import RunQueueDelay

PROCESSES = {
    "proc/self/status": "Name:\tpython3\nCpus_allowed_list:\t2-3\n",
    "proc/7/status": "Name:\tvllm (api)\nCpus_allowed_list:\t2\n",
    "proc/7/stat": "7 (vllm (api)) S 1 7 7 0 -1",
    "proc/7/task/7/schedstat": "10 2000000 3\n",
    "proc/7/task/8/schedstat": "10 500000 3\n",
    "proc/9/stat": "9 (core) S 7 7 7 0 -1",
    "proc/9/task/9/schedstat": "10 1000 3\n",
    "proc/11/stat": "11 (other) S 1 11 11 0 -1",
    "proc/11/task/11/schedstat": "10 9000000000 3\n",
    "sys/devices/system/cpu/online": "0-7\n",
    "proc/stat": "cpu  900 0 0 0 0 0 0\ncpu2 100 20 30 5000 70 4 6 800 90 0\ncpu3 10 0 0 9 0 0 0 0 0 0\n"
    "cpu4 700 0 0 0 0 0 0 0 0 0\nintr 5\n",
}
V1 = {
    "proc/self/cgroup": V1_MEMBERSHIP,
    "sys/fs/cgroup/cpuset/cpuset.cpus": "2-3\n",
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
    "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu/cpu.stat": "nr_periods 50\nnr_throttled 4\nthrottled_time 7000999\n",
    "sys/fs/cgroup/cpuacct/cpuacct.usage": "9000\n",
}
V2 = {
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cpuset.cpus.effective": "2-3\n",
    "sys/fs/cgroup/cpu.max": "200000 100000\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 9\nnr_periods 50\nnr_throttled 4\nthrottled_usec 7000\n",
}


@pytest.mark.parametrize("version", [V1, V2], ids=["v1", "v2"])
def test_cores_quota_throttling_and_waiting_are_told_alike_in_both_versions(
    version: dict[str, str], tmp_path: Path
) -> None:
    assert told_of(write(tmp_path, PROCESSES | version)) == {
        "engineCpus": "2",
        "engineCores": 1,
        "containerCpus": "2-3",
        "containerCores": 2,
        "nodeCpus": "0-7",
        "nodeCores": 8,
        "quotaCores": 2.0,
        "periods": 50,
        "throttledPeriods": 4,
        "throttledMicroseconds": 7000,
        "runQueueDelayMicroseconds": 2501,
        "usedMicroseconds": 9,
        "coresBusyMicroseconds": 1_700_000,  # 160 ticks of cpu2 and 10 of cpu3, 100 a second
    }


def told_of(root: Path, pid: int = 7) -> dict[str, object]:
    return read_evidence(pid, RunQueueDelay(pid, root), root)


def test_the_cgroup_speaks_where_this_process_was_let_wander_further(tmp_path: Path) -> None:
    wide = {"proc/self/status": "Cpus_allowed_list:\t0-7\n"}
    assert told_of(write(tmp_path, PROCESSES | V2 | wide))["containerCpus"] == "2-3"


SESSION = "S 1 7 5 0 -1 0 0 0 0 0"  # of the stat of a process in session 5: up to the four counts of its time


def test_a_worker_without_a_cgroup_of_its_own_counts_what_its_session_has_used(tmp_path: Path) -> None:
    rows = {
        "proc/self/stat": f"5 (python3) {SESSION} 1 2 0 0 20 0",
        "proc/5/stat": f"5 (python3) {SESSION} 1 2 0 0 20 0",
        "proc/7/stat": f"7 (vllm (api)) {SESSION} 100 10 4 3 20 0",
        "proc/11/stat": "11 (other) S 1 11 11 0 -1 0 0 0 0 0 900 900 0 0 20 0",
    }
    root = write(tmp_path, PROCESSES | V2 | rows)
    told = read_evidence(7, RunQueueDelay(7, root), root, own_cgroup=False)
    assert told["usedMicroseconds"] == 120 * 1_000_000 // os.sysconf("SC_CLK_TCK")
    assert told_of(root)["usedMicroseconds"] == 9


@pytest.mark.parametrize(
    ("environment", "own"),
    [
        ({}, True),
        ({"TIDEGATE_WORKER": "/state:1"}, False),
        ({"TIDEGATE_WORKER": "/state:1", "TIDEGATE_OWN_CGROUP": "1"}, True),
    ],
    ids=["a container", "a process", "a process in a cgroup"],
)
def test_a_process_has_no_cgroup_of_its_own_unless_it_was_given_one(
    environment: dict[str, str], own: bool
) -> None:
    assert has_own_cgroup(environment) is own


def test_what_cannot_be_read_is_none_and_nothing_fails(tmp_path: Path) -> None:
    told = told_of(write(tmp_path, {"proc/12/stat": ""}))
    assert told["containerCpus"] is None
    assert told["throttledPeriods"] is None
    assert told["runQueueDelayMicroseconds"] == 0
    assert told["coresBusyMicroseconds"] is None
    assert read_throttling(cgroup_folders(tmp_path)["cpu"])["periods"] is None


def test_this_machine_tells_of_this_process() -> None:
    told = told_of(Path("/"), os.getpid())
    assert told["containerCores"] == len(os.sched_getaffinity(0))
    assert isinstance(told["coresBusyMicroseconds"], int)


def test_what_a_thread_has_waited_is_still_told_when_it_has_ended(tmp_path: Path) -> None:
    root = write(tmp_path, PROCESSES)
    delay = RunQueueDelay(7, root)
    assert delay.microseconds() == 2501
    (root / "proc/7/task/8/schedstat").unlink()
    (root / "proc/7/task/8").rmdir()
    write(root, {"proc/9/task/9/schedstat": "10 6000 3\n"})
    assert delay.microseconds() == 2506
    write(root, {"proc/7/task/8/schedstat": "10 1000 3\n"})  # another thread with the number of that one
    assert delay.microseconds() == 2507
    write(root, {"proc/7/task/7/schedstat": "10 1000 3\n"})
    assert delay.microseconds() == 2508
