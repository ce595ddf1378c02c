"""What the isolation benchmark makes of the kernel's counters, of answers and of rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from isolation.asking import Plan, judged, request
from isolation.figures import measures, merged, next_round, percentile, ratios, table, worst_ratio
from isolation.kernel import (
    Counters,
    Throttling,
    allowed_cores,
    parse_busy,
    parse_cores,
    parse_run_queue_seconds,
    parse_throttling,
    pod_groups,
    read_counters,
    shares,
    stopped,
    used_by_others,
    used_seconds,
)
from isolation.measuring import told
from isolation.plot import LEFT, RIGHT, WIDTH, length, panels

V1 = "nr_periods 120\nnr_throttled 30\nthrottled_time 2500000000\nnr_bursts 0\nburst_time 0\n"
V2 = "usage_usec 900\nuser_usec 800\nnr_periods 120\nnr_throttled 30\nthrottled_usec 2500000\n"
STAT = "cpu  100 5 20 800 10 1 4 60 0 0\ncpu0 50 0 10 400 5 0 2 30 0 0\n"


def a_round(number: int, proxy: str, noise: str, total: float, **more: Any) -> dict[str, Any]:
    about = {"round": number, "what": "unary", "case": 3, "proxy": proxy, "noise": noise, "node": "node-1"}
    kernel = {"throttled_periods": 0, "throttled_seconds": 0.0, "run_queue_seconds": 0.1, "load": 0.5}
    return about | kernel | {"total": total, "totals": [total]} | more


def counters(
    throttling: Mapping[Path, Throttling], busy: Mapping[int, float] | None = None, used: float = 0.0
) -> Counters:
    return Counters(throttling, 0.0, {}, busy or {}, used)


@pytest.mark.parametrize("text", [V1, V2])
def test_both_versions_of_cpu_stat_tell_the_same(text: str) -> None:
    assert parse_throttling(text) == Throttling(120, 30, 2.5)


def test_a_group_without_a_quota_was_never_throttled() -> None:
    assert parse_throttling("usage_usec 5\n") == Throttling()


def test_of_a_pods_groups_the_one_that_was_stopped_more_often_between_counts() -> None:
    pod, container = Path("pod"), Path("pod/container")
    before = counters({pod: Throttling(90, 50, 5.0), container: Throttling(90, 2, 0.5)})
    after = counters({pod: Throttling(99, 51, 5.1), container: Throttling(99, 9, 0.9)})
    found = stopped(before, after)
    assert (found.periods, found.throttled) == (9, 7)
    assert found.seconds == pytest.approx(0.4)
    assert stopped(counters({}), after) == Throttling()


def test_what_others_had_of_a_pods_cores_is_their_busy_time_without_its_own() -> None:
    before, after = counters({}, {0: 1.0, 1: 10.0}, 8.0), counters({}, {0: 9.0, 1: 16.0}, 13.5)
    assert used_by_others(before, after, {1}) == 0.5
    assert used_by_others(before, after, {0, 1}) == 8.5


def test_a_core_is_busy_while_it_is_neither_idle_nor_waits_nor_is_taken_away() -> None:
    assert parse_busy(STAT, 10) == {0: 6.2}


@pytest.mark.parametrize("version", ["cpu", ""])
def test_of_a_pods_groups_its_own_tells_what_it_used(tmp_path: Path, version: str) -> None:
    pod = tmp_path / version / "kubepods/pod0815"
    (pod / "c1").mkdir(parents=True)
    (pod / "cpu.stat").write_text("nr_periods 9\n" if version else "usage_usec 2500000\nuser_usec 1\n")
    if version:
        counted = tmp_path / "cpuacct/kubepods/pod0815"
        counted.mkdir(parents=True)
        (counted / "cpuacct.usage").write_text("2500000000\n")
    assert [used_seconds(group) for group in (pod, pod / "c1")] == [2.5, 0.0]


def test_the_wait_for_a_core_is_schedstats_second_field_in_nanoseconds() -> None:
    assert parse_run_queue_seconds("1000000 250000000 42\n") == 0.25
    assert parse_run_queue_seconds("") == 0.0


def test_the_cores_time_is_split_as_mpstat_splits_it() -> None:
    before = parse_cores(STAT)
    after = parse_cores("cpu  140 5 30 820 15 1 4 85 0 0\n")
    assert shares(before, after) == {"usr": 40.0, "sys": 10.0, "iowait": 5.0, "steal": 25.0, "idle": 20.0}
    assert set(shares(before, before).values()) == {0.0}


@pytest.mark.parametrize("version", ["cpu", ""])
def test_a_pods_counters_are_read_from_its_groups(tmp_path: Path, version: str) -> None:
    pod = tmp_path / "cgroup" / version / "node-1/kubepods/burstable/pod0815"
    for group, throttled in ((pod, 1), (pod / "c1", 7)):
        group.mkdir(parents=True)
        (group / "cpu.stat").write_text(f"nr_periods 9\nnr_throttled {throttled}\nthrottled_usec 5\n")
    (pod / "c1" / "cgroup.procs").write_text("42\n")
    task = tmp_path / "proc/42/task/43"
    task.mkdir(parents=True)
    (task / "schedstat").write_text("1 2000000000 3\n")
    (tmp_path / "proc/stat").write_text(STAT)
    found = read_counters(pod_groups("0815", tmp_path / "cgroup"), tmp_path / "proc")
    assert {group.name: each.throttled for group, each in found.throttling.items()} == {"pod0815": 1, "c1": 7}
    assert found.run_queue_seconds == 2.0
    assert found.cores["steal"] == 60


def test_the_pause_process_may_run_anywhere_and_is_not_the_worker(tmp_path: Path) -> None:
    for pid, cpus in ((7, "0-15"), (8, "4-5"), (9, "4-5")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tx\nCpus_allowed_list:\t{cpus}\nempty\n")
    assert allowed_cores([7, 8, 9, 10], tmp_path) == "4-5"
    assert allowed_cores([], tmp_path) == ""


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 201)]
    assert [percentile(values, at) for at in (50, 95, 99, 100)] == [100, 190, 198, 200]
    assert percentile([7.0], 99) == 7.0
    assert percentile([5.0, 1.0, 3.0], 50) == 3.0


def test_an_answers_times_are_counted_from_the_request_and_gaps_between_reads_with_events() -> None:
    reads = [
        (1.2, b"HTTP/1.1 200 OK\r\n\r\n"),
        (1.3, b"data: {}\n\n"),
        (1.35, b"\n"),
        (1.5, b"data: {}\n\ndata: {}\n\n"),
        (1.6, b"data: [DONE]\n\n"),
    ]
    found = judged(1.0, 1.01, reads)
    assert found.status == 200
    assert found.first == pytest.approx(0.3)
    assert found.gaps == pytest.approx([0.2, 0.1])
    assert (found.connect, found.starttransfer, found.total) == pytest.approx((0.01, 0.2, 0.6))


def test_a_connection_that_is_closed_without_an_answer_is_no_success() -> None:
    assert judged(1.0, 1.1, []).status == 0
    with pytest.raises(SystemExit, match=r"a worker answered \[0\]"):
        told([{"status": 0}])


def test_a_request_says_how_long_its_body_is() -> None:
    text = request("10.0.0.1", Plan(["10.0.0.1"], 80, "/predict", "äb", 1, 1.0))
    assert text.endswith(b"content-length: 3\r\n\r\n" + "äb".encode())


def test_noise_is_compared_with_silence_of_the_same_round() -> None:
    rounds = [
        a_round(0, "static", "none", 1.0),
        a_round(0, "static", "forks x5", 1.2),
        a_round(1, "static", "none", 2.0),
        a_round(1, "static", "forks x5", 2.0),
        a_round(2, "static", "forks x5", 9.0),
    ]
    assert ratios(rounds, "total", ("static", "forks x5"), ("static", "none")) == [1.2, 1.0]
    worst = worst_ratio(rounds, "total", "static")
    assert worst is not None
    assert worst[0] == "forks x5"
    assert worst[1] == pytest.approx(1.1)
    assert worst_ratio(rounds, "total", "burstable") is None


def test_the_goals_are_judged_by_the_worst_noise_and_by_the_reports_own() -> None:
    fit = "static, threads that fit"
    rounds = [
        a_round(0, fit, "none", 1.0),
        a_round(0, fit, "captcha x5", 1.0),
        a_round(0, fit, "memory x5", 1.3),
        a_round(0, "burstable", "captcha x5", 9.0),
        a_round(0, "burstable", "memory x5", 90.0),
    ]
    found = {measure.name: measure for measure in measures(rounds)}
    assert found["unary_total"].judged == pytest.approx(1.3)
    assert not found["unary_total"].met
    assert found["slow_over_cure"].judged == pytest.approx(9.0)
    assert found["slow_over_cure"].met
    assert found["throttled"].met
    assert not {m.name: m for m in measures([a_round(0, fit, "none", 1.0, throttled_periods=1)])}[
        "throttled"
    ].met


def test_what_is_measured_anew_replaces_all_its_rounds_and_leaves_the_others() -> None:
    earlier = [
        a_round(0, "static", "none", 1.0),
        a_round(1, "static", "none", 1.1),
        a_round(0, "static", "forks", 2.0),
    ]
    chat = a_round(0, "static", "none", 3.0) | {"what": "chat", "case": 1}
    found = merged([chat, *earlier], [a_round(0, "static", "none", 5.0)])
    assert [(one["what"], one["noise"], one["total"]) for one in found] == [
        ("unary", "none", 5.0),
        ("unary", "forks", 2.0),
        ("chat", "none", 3.0),
    ]


def test_rounds_that_go_on_with_the_numbers_are_added_to_the_earlier_ones() -> None:
    earlier = [a_round(0, "static", "none", 1.0), a_round(1, "static", "none", 1.1)]
    assert next_round("unary", earlier) == 2
    assert next_round("chat", earlier) == 0
    found = merged(earlier, [a_round(2, "static", "none", 5.0), a_round(2, "static", "forks", 6.0)])
    assert [one["total"] for one in found] == [1.0, 1.1, 5.0, 6.0]


def test_the_table_has_a_row_for_each_case_with_medians_over_its_rounds() -> None:
    rounds = [
        a_round(number, "burstable", "captcha x5", total) for number, total in enumerate((4.0, 9.0, 5.0))
    ]
    [head, row] = table(rounds)
    assert len(head) == len(row)
    assert row[:6] == ["unary", "3", "burstable", "captcha x5", "5.00", "4.00 to 9.00"]
    assert row[-1] == "3"


def test_bars_are_drawn_on_a_logarithmic_scale_between_powers_of_ten() -> None:
    [panel] = panels([a_round(0, "burstable", "captcha x5", 5.0), a_round(0, "static", "captcha x5", 0.5)])
    assert panel.decades == (-1, 1)
    assert [bar.own for bar in panel.bars] == [False, False]
    whole = WIDTH - LEFT - RIGHT
    assert length(10.0, panel.decades) == whole
    assert math.isclose(length(1.0, panel.decades), whole / 2)
    assert panel.bars[0].label == "3  burstable beside captcha x5"
