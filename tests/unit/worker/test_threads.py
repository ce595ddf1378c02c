"""Threads that fit the cores: one core to 128, shared or exclusive, hyperthreads, several NUMA nodes."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_worker.cores import Share
from tidegate_worker.thread_environment import (
    PLACING,
    binding,
    cpu_environment,
    gpu_environment,
    kept,
    wishes_of,
)
from tidegate_worker.threads import Threads, Wishes, plan_threads
from tidegate_worker.topology import Topology, read_topology

ONE_NODE = Topology()


def share(cpus: range | tuple[int, ...], quota: float | None = None, **more: bool) -> Share:
    return Share(tuple(cpus), quota, None, **more)


def machine(nodes: int, cores: int, threads: int) -> Topology:
    """Numbered as Linux does on most servers: first each core's first hyperthread, node by node."""
    total = nodes * cores
    siblings = {
        cpu: frozenset(cpu % total + total * turn for turn in range(threads))
        for cpu in range(total * threads)
    }
    return Topology(siblings, {cpu: cpu % total // cores for cpu in siblings})


@pytest.mark.parametrize(
    ("given_share", "threads"),
    [
        (share((1,), 1.0), Threads(1, ((1,),))),
        (share((2, 3), 2.0), Threads(2, ((2, 3),))),
        (share(range(4), 4.0), Threads(3, ((0, 1, 2),))),  # the fourth is the scheduler's
        (share(range(128)), Threads(127, (tuple(range(127)),))),
        (share(range(64), 4.0), Threads(4)),
        (share(range(8), 2.5), Threads(2)),
        (share(range(8), 0.5), Threads(1)),
        (share(range(3), 3 * 0.1 * 10), Threads(2, ((0, 1),))),
    ],
)
def test_threads_are_the_cores_of_the_cpuset_or_of_a_smaller_quota(
    given_share: Share, threads: Threads
) -> None:
    assert plan_threads(given_share, ONE_NODE, Wishes()) == threads


def test_a_physical_core_gets_one_thread_and_its_other_hyperthread_serves_the_rest() -> None:
    assert plan_threads(share((0, 1, 4, 5)), machine(1, 4, 2), Wishes()) == Threads(2, ((0, 1),))
    wide = plan_threads(share(range(16)), machine(1, 8, 2), Wishes())
    assert wide == Threads(8, (tuple(range(8)),))


def test_a_hyperthread_whose_sibling_belongs_to_someone_else_gets_a_thread() -> None:
    assert plan_threads(share((5,)), machine(1, 4, 2), Wishes()) == Threads(1, ((5,),))


def test_one_worker_keeps_to_the_numa_node_that_has_most_of_its_cores() -> None:
    threads = plan_threads(share((0, 1, 4, 5, 6, 7)), machine(2, 4, 1), Wishes())
    assert threads == Threads(4, ((4, 5, 6, 7),))


def test_workers_follow_numa_nodes_and_ranks_that_follow_each_other_are_neighbours() -> None:
    two = plan_threads(share(range(16)), machine(2, 8, 1), Wishes(workers=2))
    assert two.bound == (tuple(range(8))[:7], tuple(range(8, 15)))
    four = plan_threads(share(range(16)), machine(2, 8, 1), Wishes(workers=4))
    assert four.bound == ((0, 1, 2), (3, 4, 5), (8, 9, 10), (11, 12, 13))


def test_nodes_are_mixed_where_more_than_half_of_the_cores_would_be_idle_otherwise() -> None:
    threads = plan_threads(share(tuple(range(0, 16, 4))), machine(4, 4, 1), Wishes(reserved=0))
    assert threads == Threads(4, ((0, 4, 8, 12),))


def test_a_machine_that_nobody_divided_is_bound_only_where_nodes_or_workers_are_kept_apart() -> None:
    whole = share(range(8), singled_out=False)
    assert plan_threads(whole, ONE_NODE, Wishes()) == Threads(8)
    assert plan_threads(whole, ONE_NODE, Wishes(workers=2, reserved=0)).bound == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert plan_threads(whole, machine(2, 4, 1), Wishes()).bound == ((0, 1, 2, 3),)


def test_threads_are_bound_where_the_kernel_would_leave_them_all_on_one_core() -> None:
    isolated = share(range(8), 4.0, balanced=False)
    assert plan_threads(isolated, ONE_NODE, Wishes()).bound == ((0, 1, 2, 3),)


def test_what_the_user_has_decided_is_followed() -> None:
    cores = share(range(8))
    assert plan_threads(cores, ONE_NODE, Wishes(threads=3)) == Threads(3, ((0, 1, 2),))
    assert plan_threads(cores, ONE_NODE, Wishes(threads=16)) == Threads(16)  # more than there are cores
    assert plan_threads(cores, ONE_NODE, Wishes(reserved=4)).each == 4
    assert plan_threads(cores, ONE_NODE, Wishes(bind=False)).bound == ()


@st.composite
def shares(draw: st.DrawFn) -> tuple[Share, Topology]:
    """A machine of up to 256 cpus and some of them, with or without a quota."""
    nodes, cores, threads = draw(st.integers(1, 4)), draw(st.integers(1, 32)), draw(st.integers(1, 2))
    every = nodes * cores * threads
    cpus = draw(st.sets(st.integers(0, every - 1), min_size=1, max_size=min(every, 128)))
    quota = draw(st.none() | st.floats(0.05, 130))
    more = {"singled_out": draw(st.booleans()), "balanced": draw(st.booleans())}
    return share(tuple(sorted(cpus)), quota, **more), machine(nodes, cores, threads)


@given(shares(), st.integers(1, 8))
def test_no_more_threads_than_cores_and_quota_and_each_bound_core_is_ours_alone(
    found: tuple[Share, Topology], workers: int
) -> None:
    cores, topology = found
    threads = plan_threads(cores, topology, Wishes(workers=workers))
    physical = sum(map(len, topology.cores_by_node(cores.cpus)))
    whole = physical if cores.quota is None else max(1, min(physical, int(cores.quota + 1e-6)))
    assert threads.each >= 1
    assert threads.each * workers <= max(whole, workers)  # each worker computes with one thread at least
    bound = list(chain.from_iterable(threads.bound))
    assert set(bound) <= set(cores.cpus)
    assert len(set(bound)) == len(bound)
    assert len({topology.siblings[cpu] for cpu in bound}) == len(bound)
    assert threads.bound == () or [len(cpus) for cpus in threads.bound] == [threads.each] * workers


@given(shares(), st.integers(1, 8))
def test_a_worker_has_cores_of_one_node_unless_that_idles_more_than_half(
    found: tuple[Share, Topology], workers: int
) -> None:
    cores, topology = found
    threads = plan_threads(cores, topology, Wishes(workers=workers, reserved=0))
    mixed = [cpus for cpus in threads.bound if len({topology.nodes[cpu] for cpu in cpus}) > 1]
    by_node = topology.cores_by_node(cores.cpus)
    half = (threads.each + 1) // 2
    if mixed:
        assert sum(len(node) // half for node in by_node) < workers


def test_hyperthreads_and_nodes_are_read_where_the_machine_tells_them(tmp_path: Path) -> None:
    for name, text in {
        "cpu/cpu2/topology/thread_siblings_list": "2,6\n",
        "node/node0/cpulist": "0-1,4-5\n",
        "node/node1/cpulist": "2-3,6-7\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    topology = read_topology((2, 3, 6), tmp_path)
    assert topology.siblings == {2: frozenset({2, 6})}
    assert topology.cores_by_node((1, 2, 3, 6)) == [[1], [2, 3]]
    assert Topology().cores_by_node((0, 1)) == [[0, 1]]


EXCLUSIVE = share((3,), 1.0)


def test_one_core_needs_no_second_process_and_reserves_none_for_others() -> None:
    chosen = cpu_environment(Threads(1, ((3,),)), EXCLUSIVE, Wishes(), {})
    assert chosen == {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_CPU_OMP_THREADS_BIND": "3",
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }


def test_several_workers_get_their_cores_in_the_order_of_their_ranks() -> None:
    threads = Threads(2, ((0, 1), (2, 3)))
    chosen = cpu_environment(threads, share(range(4)), Wishes(workers=2), {})
    assert chosen["VLLM_CPU_OMP_THREADS_BIND"] == "0,1|2,3"
    assert chosen["OMP_NUM_THREADS"] == "2"
    assert chosen["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"
    assert "TOKENIZERS_PARALLELISM" not in chosen


def test_threads_on_cores_that_are_not_theirs_sleep_while_they_wait() -> None:
    shared = cpu_environment(Threads(4), share(range(64), 4.0), Wishes(), {})
    assert (shared["OMP_WAIT_POLICY"], shared["KMP_BLOCKTIME"]) == ("PASSIVE", "0")
    assert "OMP_WAIT_POLICY" not in cpu_environment(Threads(1, ((3,),)), EXCLUSIVE, Wishes(), {})
    crowd = cpu_environment(Threads(8), share(range(8), singled_out=False), Wishes(), {})
    assert crowd["OMP_WAIT_POLICY"] == "PASSIVE"
    placed = cpu_environment(Threads(4), share(range(4)), Wishes(bind=False), {"OMP_PLACES": "cores"})
    assert "OMP_WAIT_POLICY" not in placed
    assert binding(Threads(4)) == "nobind"


def test_beside_a_gpu_openmp_is_left_to_the_engine() -> None:
    assert gpu_environment(Threads(4)) == {"OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "4"}


@pytest.mark.parametrize("name", PLACING)
def test_threads_that_the_user_placed_are_not_placed_again(name: str) -> None:
    wishes = wishes_of({name: "0-3"}, 1)
    assert not wishes.bind
    assert binding(plan_threads(share(range(4)), ONE_NODE, wishes)) == "nobind"


def test_the_users_variables_are_read_and_told_where_they_win() -> None:
    given_by_user = {"OMP_NUM_THREADS": "2", "VLLM_CPU_NUM_OF_RESERVED_CPU": "3", "OMP_PROC_BIND": "close"}
    assert wishes_of(given_by_user, 2) == Wishes(workers=2, threads=2, reserved=3, bind=False)
    assert wishes_of({"OMP_NUM_THREADS": "4,2"}, 1).threads is None
    chosen = {"OMP_NUM_THREADS": "2", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0", "MKL_NUM_THREADS": "2"}
    assert kept(chosen, given_by_user) == {"OMP_PROC_BIND": "close", "VLLM_CPU_NUM_OF_RESERVED_CPU": "3"}


def test_cores_that_the_user_named_are_used_by_worker_processes_that_can_be_bound() -> None:
    named = {"VLLM_CPU_OMP_THREADS_BIND": "0-3"}
    assert cpu_environment(Threads(1), share((0,)), Wishes(), named)["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"
