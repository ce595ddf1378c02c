from dataclasses import replace
from typing import Any

import pytest

from tidegate.domain.between_looks import Counters
from tidegate.domain.core_list import parse_cores
from tidegate.domain.evidence import Looks, WorkerEvidence, parse_evidence

ANSWER = {"containerCpus": "2-3", "nodeCpus": "0-7", "throttledPeriods": 4, "engineCpus": "2"}


def told(throttled: int | None = 0, cores: str = "2-3") -> WorkerEvidence:
    return WorkerEvidence(parse_cores(cores), parse_cores("0-7"), None, Counters(throttled=throttled))


def ran(
    used: float, busy: float, waited: float, cores: str = "2-3", throttled: int | None = 0
) -> WorkerEvidence:
    """Counters in seconds."""
    told = Counters(1, throttled, 0, int(waited * 1e6), int(used * 1e6), int(busy * 1e6))
    return WorkerEvidence(parse_cores(cores), parse_cores("0-7"), None, told)


def test_an_answer_is_read() -> None:
    assert parse_evidence(ANSWER) == told(4)
    assert parse_evidence({"containerCpus": "2-3", "nodeCpus": None}).node == frozenset()
    more = {"quotaCores": 2, "periods": 50, "throttledMicroseconds": 7, "runQueueDelayMicroseconds": 8}
    found = parse_evidence(ANSWER | more | {"usedMicroseconds": 9, "coresBusyMicroseconds": 10})
    assert (found.quota, found.counters) == (2, Counters(50, 4, 7, 8, 9, 10))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"containerCpus": ""},
        {"containerCpus": 3},
        ANSWER | {"throttledPeriods": "4"},
        ANSWER | {"throttledPeriods": True},
        ANSWER | {"quotaCores": "2"},
        ANSWER | {"usedMicroseconds": 1.5},
        ANSWER | {"nodeCpus": "0-99999999999"},
    ],
)
def test_anything_else_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_evidence(answer)


def test_a_first_look_decides_nothing_and_a_second_one_does() -> None:
    first = Looks().after(told(), 0.0)
    assert first.pending
    assert not first.after(told(), 5.0).pending
    assert Looks().pending
    assert not Looks().after(None, 0.0).pending


def test_throttled_periods_before_the_first_look_are_the_starts_and_those_between_two_looks_count() -> None:
    looks = Looks().after(told(40), 0.0)
    assert looks.throttled(0.0) is None
    looks = looks.after(told(43), 5.0)
    seen = looks.throttled(604.0)
    assert seen
    assert (seen.throttled, seen.seconds) == (3, 5.0)
    assert looks.throttled(605.0) is None


def test_a_count_that_went_back_is_another_containers() -> None:
    looks = Looks().after(told(40), 0.0).after(told(2), 5.0)
    assert looks.throttled(5.0) is None
    assert Looks().after(told(None), 0.0).after(told(9), 5.0).throttled(5.0) is None


def test_neighbours_are_those_who_cost_the_worker_a_tenth_of_its_own_time() -> None:
    looks = Looks().after(ran(10, 1000, 2), 0.0)
    seen = looks.after(ran(40, 1042, 7.5), 60.0).disturbed(
        60.0
    )  # 30 s of its own, 12 s of others, waited 5.5
    assert seen
    assert (seen.used, seen.others, seen.waited) == (30.0, 12.0, 5.5)
    assert looks.after(ran(40, 1042, 4.5), 60.0).disturbed(60.0) is None  # waited 2.5 s, less than a tenth


@pytest.mark.parametrize(
    "after",
    [
        ran(40, 1030.5, 90),  # its own threads waited for each other
        ran(40, 1060, 2.5),  # others ran where it would have rested
        ran(10.1, 1060, 4.9),  # it hardly ran
        ran(40, 1060, 90, cores="2-4"),  # on other cores: their counters began elsewhere
    ],
    ids=["crowded", "rested", "idle", "moved"],
)
def test_waiting_alone_and_others_alone_are_no_neighbours(after: WorkerEvidence) -> None:
    assert Looks().after(ran(10, 1000, 2), 0.0).after(after, 60.0).disturbed(60.0) is None


def test_a_worker_whose_kernel_tells_no_use_has_no_neighbours() -> None:
    bare = WorkerEvidence(parse_cores("2-3"), parse_cores("0-7"), None, Counters(waited=0, busy=0))
    later = replace(bare, counters=Counters(waited=50_000_000, busy=50_000_000))
    assert Looks().after(bare, 0.0).after(later, 60.0).disturbed(60.0) is None


def test_a_worker_is_young_until_trouble_would_have_shown() -> None:
    looks = Looks().after(told(), 100.0).after(told(), 105.0)
    assert looks.young(699.0)
    assert not looks.young(700.0)
    assert Looks().young(0.0)


def test_two_missed_looks_are_forgiven_and_the_third_forgets() -> None:
    looks = Looks().after(told(), 0.0).after(told(), 5.0).after(None, 6.0).after(None, 7.0)
    assert looks.evidence == told()
    assert looks.after(told(), 8.0).missed == 0
    assert looks.after(None, 8.0).evidence is None
