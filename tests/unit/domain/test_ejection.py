"""When a failing endpoint is out, for how long, and what brings it back."""

from __future__ import annotations

import pytest

from tidegate.domain.ejection import ERRORS, Ejections, back_off
from tidegate.domain.flow_ticket import EndpointKey

A = EndpointKey("a", 0, "10.0.0.1", 8000)
B = EndpointKey("b", 0, "10.0.0.2", 8000)


def failed_times(count: int) -> Ejections:
    """Endpoint A has failed so often in a row, the last time at 1000 s, and is out."""
    ejections = Ejections()
    for number in range(count):
        now = 1000.0 - 100.0 * (count - 1 - number)
        ejections.probed(A, answers=True, now=now - 1.0)
        assert ejections.failed(A, now, now, 0.0) is not None
    return ejections


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0), (2, 1), (3, 2), (4, 4), (6, 16), (7, 30), (999, 30)]
)
def test_the_back_off_doubles_from_one_second_to_thirty(failures: int, seconds: float) -> None:
    assert back_off(failures, 0.0) == seconds
    assert back_off(failures, 1.0) == pytest.approx(0.8 * seconds)


def test_after_its_first_failure_an_endpoint_is_in_again_with_the_first_probe_that_answers() -> None:
    ejections = failed_times(1)
    assert ejections.is_out(A)
    assert ejections.probed(A, answers=True, now=1000.0)
    assert not ejections.is_out(A)
    assert not ejections.on_trial()


def test_an_endpoint_whose_probes_answer_while_its_requests_fail_stays_out_and_comes_back_on_trial() -> None:
    ejections = failed_times(3)
    assert not ejections.probed(A, answers=True, now=1001.9)
    assert not ejections.on_trial()
    assert ejections.probed(A, answers=True, now=1002.0)
    assert ejections.on_trial() == {A}


def test_a_probe_that_fails_ends_the_back_off_since_another_process_answers_next() -> None:
    ejections = failed_times(9)
    assert not ejections.probed(A, answers=False, now=1000.5)
    assert ejections.is_out(A)
    assert ejections.probed(A, answers=True, now=1000.6)


def test_an_answer_ends_the_trial_and_the_count_begins_anew() -> None:
    ejections = failed_times(4)
    ejections.probed(A, answers=True, now=1100.0)
    assert not ejections.answered(A, 200, 1100.0, alone=False)
    assert not ejections.records
    assert ejections.failed(A, 1101.0, 1101.0, 0.0) == 0.0


def test_the_requests_that_ran_when_a_worker_died_are_one_failure() -> None:
    ejections = failed_times(1)
    assert ejections.failed(A, 999.0, 1000.0, 0.0) is None
    ejections.probed(A, answers=True, now=1000.1)
    assert ejections.failed(A, 1000.0, 1000.2, 0.0) is None  # it was sent before the endpoint came back
    assert ejections.failed(A, 1000.2, 1000.3, 0.0) == 1.0


def test_an_answer_from_before_the_ejection_does_not_end_the_trial() -> None:
    ejections = failed_times(2)
    ejections.probed(A, answers=True, now=1100.0)
    ejections.answered(A, 200, 999.0, alone=False)
    assert ejections.on_trial() == {A}


def test_errors_in_a_row_count_as_one_failure_where_another_endpoint_takes_the_work() -> None:
    ejections = Ejections()
    verdicts = [ejections.answered(A, 500, 1.0, alone=False) for _ in range(ERRORS)]
    assert verdicts == [False] * (ERRORS - 1) + [True]


def test_a_good_answer_between_errors_begins_the_row_anew() -> None:
    ejections = Ejections()
    for _ in range(3):
        for _ in range(ERRORS - 1):
            assert not ejections.answered(A, 503, 1.0, alone=False)
        assert not ejections.answered(A, 404, 1.0, alone=False)


def test_the_last_endpoint_is_not_ejected_for_its_errors_and_any_answer_ends_its_trial() -> None:
    ejections = failed_times(2)
    ejections.probed(A, answers=True, now=1100.0)
    assert not any(ejections.answered(A, 500, 1100.0, alone=True) for _ in range(2 * ERRORS))
    assert not ejections.on_trial()


def test_an_error_on_trial_is_a_failure() -> None:
    ejections = failed_times(2)
    ejections.probed(A, answers=True, now=1100.0)
    assert ejections.answered(A, 500, 1100.0, alone=False)
    assert ejections.failed(A, 1100.0, 1100.0, 0.0) == 2.0


def test_endpoints_do_not_share_their_records_and_those_that_are_gone_are_forgotten() -> None:
    ejections = failed_times(2)
    ejections.failed(B, 1000.0, 1000.0, 0.0)
    assert ejections.probed(B, answers=True, now=1000.0)
    ejections.keep({B})
    assert not ejections.is_out(A)
    assert set(ejections.records) == {B}
