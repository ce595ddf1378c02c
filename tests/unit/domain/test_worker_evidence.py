from typing import Any

import pytest

from tidegate.domain.core_list import parse_cores
from tidegate.domain.evidence import Looks, WorkerEvidence, parse_evidence

ANSWER = {"containerCpus": "2-3", "nodeCpus": "0-7", "throttledPeriods": 4, "engineCpus": "2"}


def told(throttled: int | None = 0, cores: str = "2-3") -> WorkerEvidence:
    return WorkerEvidence(parse_cores(cores), parse_cores("0-7"), throttled)


def test_an_answer_is_read() -> None:
    assert parse_evidence(ANSWER) == told(4)
    assert parse_evidence({"containerCpus": "2-3", "nodeCpus": None}).node == frozenset()


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
    assert not looks.throttled(0.0)
    looks = looks.after(told(43), 5.0)
    assert looks.throttled_by == 3
    assert looks.throttled(604.0)
    assert not looks.throttled(605.0)


def test_a_count_that_went_back_is_another_containers() -> None:
    looks = Looks().after(told(40), 0.0).after(told(2), 5.0)
    assert not looks.throttled(5.0)
    assert Looks().after(told(None), 0.0).after(told(9), 5.0).throttled_by == 0


def test_two_missed_looks_are_forgiven_and_the_third_forgets() -> None:
    looks = Looks().after(told(), 0.0).after(told(), 5.0).after(None, 6.0).after(None, 7.0)
    assert looks.evidence == told()
    assert looks.after(told(), 8.0).missed == 0
    assert looks.after(None, 8.0).evidence is None
