"""Threads that fit the cores: one core to many, shared or exclusive, with or without hyperthreads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate_worker.cores import Share
from tidegate_worker.threads import Threads, cpu_environment, plan_threads, read_siblings


def share(cpus: range | tuple[int, ...], quota: float | None = None) -> Share:
    return Share(tuple(cpus), quota, None)


@pytest.mark.parametrize(
    ("given", "threads"),
    [
        (share((1,), 1.0), Threads(1, (1,))),
        (share(range(4), 4.0), Threads(4, (0, 1, 2, 3))),
        (share(range(128)), Threads(128, tuple(range(128)))),
        (share(range(64), 4.0), Threads(4, ())),
        (share(range(8), 2.5), Threads(2, ())),
        (share(range(8), 0.5), Threads(1, ())),
    ],
)
def test_threads_are_the_cores_of_the_cpuset_or_of_a_smaller_quota(given: Share, threads: Threads) -> None:
    assert plan_threads(given, {}) == threads


def test_a_physical_core_gets_one_thread_however_many_hyperthreads_it_has() -> None:
    siblings = {cpu: frozenset({cpu % 4, cpu % 4 + 4}) for cpu in range(8)}
    assert plan_threads(share((0, 1, 4, 5)), siblings) == Threads(2, (0, 1))


def test_a_hyperthread_whose_sibling_belongs_to_someone_else_gets_a_thread() -> None:
    assert plan_threads(share((5,)), {5: frozenset({1, 5})}) == Threads(1, (5,))


def test_siblings_are_read_where_the_machine_tells_them(tmp_path: Path) -> None:
    folder = tmp_path / "cpu2" / "topology"
    folder.mkdir(parents=True)
    (folder / "thread_siblings_list").write_text("2,6\n")
    assert read_siblings((2, 3), tmp_path) == {2: frozenset({2, 6})}


def test_one_core_needs_no_second_process_and_reserves_none_for_others() -> None:
    chosen = cpu_environment(Threads(1, (3,)), workers=1)
    assert chosen == {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "3",
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }


def test_several_workers_share_the_cores_without_overlap() -> None:
    chosen = cpu_environment(Threads(5, (0, 1, 2, 3, 4)), workers=2)
    assert chosen["VLLM_CPU_OMP_THREADS_BIND"] == "0,1|2,3"
    assert chosen["OMP_NUM_THREADS"] == "2"
    assert chosen["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"


@pytest.mark.parametrize("threads", [Threads(4, ()), Threads(1, (0,))])
def test_threads_are_not_bound_where_cores_are_shared_or_too_few(threads: Threads) -> None:
    assert cpu_environment(threads, workers=2)["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
