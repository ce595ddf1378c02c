"""The election over a Lease: who may act, and when."""

from __future__ import annotations

from tidegate.domain.lease import Decision, Election, LeaseRecord, Step

MINE = LeaseRecord("me", "1")
THEIRS = LeaseRecord("they", "1")


def leader(sent_at: float = 0.0) -> Election:
    return Election("me").was_written(MINE, sent_at, sent_at)


def test_a_candidate_reads_before_it_does_anything() -> None:
    assert Election("me").decide(0.0) == Decision(Step.READ)


def test_a_lease_that_does_not_exist_is_made_when_a_leader_would_have_noticed_that_it_is_gone() -> None:
    candidate = Election("me").was_read(None, 100.0)
    assert candidate.decide(100.0) == Decision(Step.WAIT, 2.0)
    candidate = candidate.was_read(None, 102.0)
    assert candidate.decide(102.0) == Decision(Step.WAIT, 1.0)
    assert candidate.decide(103.0).step is Step.ACQUIRE


def test_the_wait_for_a_leader_that_may_have_lost_its_lease_begins_anew_when_there_was_one() -> None:
    candidate = Election("me").was_read(None, 100.0).was_read(LeaseRecord("", "2"), 101.0)
    assert candidate.decide(101.0).step is Step.ACQUIRE
    assert candidate.was_read(None, 110.0).decide(110.0) == Decision(Step.WAIT, 2.0)


def test_a_released_lease_is_acquired_at_once() -> None:
    standby = Election("me").was_read(THEIRS, 0.0).was_read(LeaseRecord("", "2"), 1.0)
    assert standby.decide(1.0).step is Step.ACQUIRE


def test_a_foreign_record_is_left_alone_until_it_has_stood_for_its_duration() -> None:
    standby = Election("me").was_read(THEIRS, 100.0)
    assert standby.decide(100.0) == Decision(Step.WAIT, 2.0)
    standby = standby.was_read(THEIRS, 109.0)
    assert standby.decide(109.0) == Decision(Step.WAIT, 1.0)
    assert standby.decide(110.0).step is Step.ACQUIRE


def test_a_renewal_that_was_read_starts_the_wait_anew() -> None:
    standby = Election("me").was_read(THEIRS, 0.0).was_read(LeaseRecord("they", "2"), 9.0)
    assert standby.decide(10.0).step is Step.WAIT
    assert standby.decide(19.0).step is Step.ACQUIRE


def test_the_record_says_itself_how_long_it_holds() -> None:
    standby = Election("me").was_read(LeaseRecord("retire", "5", duration=3600.0), 0.0)
    assert standby.was_read(standby.record, 3599.0).decide(3599.5).step is Step.WAIT
    assert standby.decide(3600.0).step is Step.ACQUIRE


def test_a_leader_renews_every_two_seconds() -> None:
    assert leader().decide(1.5) == Decision(Step.WAIT, 0.5)
    assert leader().decide(2.0).step is Step.RENEW


def test_leading_is_counted_from_when_the_renewal_was_sent_not_from_when_it_was_answered() -> None:
    elected = Election("me").was_written(MINE, sent_at=0.0, now=2.4)
    assert elected.leads(6.9)
    assert not elected.leads(7.0)
    assert elected.decide(7.0).step is Step.LOST


def test_a_leader_whose_renewals_fail_leads_until_its_deadline_and_no_longer() -> None:
    failing = leader().failed(2.0, pause=0.5)
    assert failing.decide(2.0) == Decision(Step.WAIT, 0.5)
    assert failing.decide(2.5).step is Step.READ
    assert failing.leads(6.9)
    assert failing.failed(6.9, pause=60.0).decide(6.9).seconds < 0.2  # the end is not slept through


def test_a_leader_that_finds_another_holder_has_lost() -> None:
    assert leader().was_read(LeaseRecord("they", "2"), 1.0).decide(1.0).step is Step.LOST


def test_a_leader_whose_lease_was_deleted_has_lost() -> None:
    assert leader().was_read(None, 1.0).decide(1.0).step is Step.LOST


def test_who_finds_itself_as_the_holder_without_knowing_takes_it_up_again() -> None:
    lost_answer = Election("me").was_read(None, 0.0).failed(1.0, pause=0.0).was_read(MINE, 1.0)
    assert lost_answer.decide(1.0).step is Step.ACQUIRE


def test_the_holder_of_a_deleted_lease_is_given_as_long_as_a_dead_one() -> None:
    standby = Election("me").was_read(THEIRS, 0.0).was_read(None, 5.0)
    assert standby.decide(5.0).step is Step.WAIT
    assert standby.was_read(None, 14.0).decide(14.9).step is Step.WAIT
    assert standby.was_read(None, 14.0).decide(15.0).step is Step.ACQUIRE


def test_a_word_that_something_has_changed_is_followed_by_a_look() -> None:
    assert Election("me").was_read(THEIRS, 0.0).stirred().decide(0.1).step is Step.READ


def test_changes_of_the_holder_are_counted() -> None:
    assert Election("me").was_read(None, 0.0).transitions == 1
    assert Election("me").was_read(LeaseRecord("they", "9", transitions=4), 0.0).transitions == 5
    assert leader().transitions == 0
