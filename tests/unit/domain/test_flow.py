"""The queue of one service, step by step."""

from __future__ import annotations

from dataclasses import replace

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow import Flow
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket
from tidegate.domain.service import ServiceConfig, ServiceKey

CONFIG = ServiceConfig(key=ServiceKey("n", "s"), created=0.0, served_names=("m",), max_concurrency=1)
ONE, TWO = EndpointKey("one", 0, "h", 1), EndpointKey("two", 0, "h", 2)


class Silent:
    """A waiter that is asked nothing."""

    def granted(self, endpoint: Endpoint) -> None:
        """See Waiter."""

    def evicted(self, error: ApiError) -> None:
        """See Waiter."""

    def admitted(self) -> None:
        """See Waiter."""


def flow(*keys: EndpointKey, now: float = 0.0, **changes: object) -> Flow:
    made = Flow(replace(CONFIG, **changes), now)  # type: ignore[arg-type]
    made.set_endpoints(keys, now)
    return made


def ask(queue: Flow, now: float = 0.0, size: int = 0, priority: int = 0) -> tuple[Ticket, object]:
    ticket = Ticket(Silent(), size, priority)
    return ticket, queue.ask(ticket, now, body_read=True)


def refusal(verdict: object) -> ApiError:
    assert isinstance(verdict, ApiError)
    return verdict


def test_a_limit_of_128_admits_128_and_refuses_the_next() -> None:
    queue = flow(max_depth=128)
    verdicts = [ask(queue)[1] for _ in range(129)]
    assert verdicts[:128] == [WAIT] * 128
    assert (refusal(verdicts[128]).status, refusal(verdicts[128]).code) == (429, "overload")


def test_what_runs_on_an_endpoint_that_is_gone_from_the_list_leaves() -> None:
    queue = flow(ONE, TWO)
    first, _ = ask(queue)
    ask(queue)
    assert queue.leaving == 0
    queue.set_endpoints((TWO if first.endpoint and first.endpoint.key == ONE else ONE,), 1.0)
    assert (queue.in_flight, queue.leaving) == (2, 1)
    queue.done(first, 2.0)
    assert (queue.in_flight, queue.leaving) == (1, 0)


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_413() -> None:
    queue = flow(ONE, max_bytes=10)
    assert isinstance(ask(queue, size=10)[1], Endpoint)
    assert refusal(ask(queue, size=11)[1]).status == 413


def test_bodies_that_fit_alone_but_not_together_are_429() -> None:
    queue = flow(ONE, max_bytes=10)
    ask(queue, size=6)
    refused = refusal(ask(queue, size=5)[1])
    assert (refused.status, refused.code, refused.reason) == (429, "overload", "bytes")


def test_the_first_to_come_is_the_first_to_run() -> None:
    queue = flow(ONE)
    running, _ = ask(queue)
    waiting = [ask(queue)[0] for _ in range(3)]
    order = []
    for _ in range(3):
        (running,) = queue.done(running, 1.0)
        order.append(running)
    assert order == waiting


def test_a_ticket_given_back_goes_before_those_that_came_after_it() -> None:
    queue = flow(ONE)
    first, _ = ask(queue)
    second, _ = ask(queue)
    queue.set_endpoints((), 1.0)
    assert queue.give_back(first, 1.0) == []
    assert queue.set_endpoints((TWO,), 2.0) == [first]
    assert second.stage is Stage.WAITING


def test_the_time_in_which_a_request_ran_is_no_part_of_its_wait() -> None:
    queue = flow(ONE, wait_timeout_seconds=120, cold_start_timeout_seconds=300)
    first, _ = ask(queue)
    ask(queue)
    queue.set_endpoints((), 500.0)
    assert queue.give_back(first, 600.0) == []  # its worker went at 500, its connection at 600
    assert queue.next_expiry(600.0) == 200.0  # the other one has waited 100 s for a worker
    assert [ticket for ticket, _ in queue.expired(899.0)] != [first]
    assert queue.set_endpoints((TWO,), 899.0) == [first]
    assert first.cold_wait == 299.0
    queue.set_endpoints((), 950.0)
    queue.give_back(first, 950.0)
    assert [ticket for ticket, _ in queue.expired(950.9)] == []
    assert [ticket for ticket, _ in queue.expired(951.1)] == [first]


def test_the_endpoint_with_the_fewest_in_flight_is_chosen_and_equals_take_turns() -> None:
    queue = flow(ONE, TWO, max_concurrency=4)
    chosen = []
    for _ in range(8):
        verdict = ask(queue)[1]
        assert isinstance(verdict, Endpoint)
        chosen.append(verdict.key.uid)
    assert sorted(chosen[:2]) == ["one", "two"]
    assert chosen.count("one") == chosen.count("two") == 4
    assert ask(queue)[1] is WAIT


def test_idle_equals_take_turns() -> None:
    queue = flow(ONE, TWO)
    uids = set()
    for _ in range(2):
        ticket, verdict = ask(queue)
        assert isinstance(verdict, Endpoint)
        uids.add(verdict.key.uid)
        queue.done(ticket, 1.0)
    assert uids == {"one", "two"}


def test_the_cold_start_budget_runs_only_while_no_worker_is_ready_and_ends_in_503() -> None:
    queue = flow(cold_start_timeout_seconds=300, wait_timeout_seconds=120)
    first, _ = ask(queue, now=0.0)
    second, _ = ask(queue, now=1.0)
    assert queue.next_expiry(200.0) == 100.0
    assert queue.set_endpoints((ONE,), 200.0) == [first]  # second waits for first from here on
    assert queue.next_expiry(200.0) == 120.0
    assert queue.set_endpoints((), 210.0) == []  # the worker is gone again: 200 of 300 are used
    assert queue.expired(310.9) == []
    ((late, error),) = queue.expired(311.1)
    assert late is second
    assert (error.status, error.code) == (503, "cold_start_timeout")


def test_the_wait_budget_ends_in_429_with_the_words_that_clients_know() -> None:
    queue = flow(ONE, wait_timeout_seconds=120)
    ask(queue)
    ask(queue, now=5.0)
    assert queue.expired(124.9) == []
    ((_, error),) = queue.expired(125.0)
    assert (error.status, error.code) == (429, "queue_timeout")
    assert error.message.startswith("Job timeout in queue")


def test_retry_after_is_depth_over_drain_rate_and_sixty_where_nothing_is_known() -> None:
    queue = flow(ONE, max_depth=11)
    running, _ = ask(queue)
    assert queue.retry_after(0.0) == 60
    for _ in range(10):
        ask(queue)
    for second in range(1, 61):  # one end a second for a minute, and the queue stays full
        (running,) = queue.done(running, float(second))
        ask(queue, now=float(second))
    refused = refusal(ask(queue, now=60.0)[1])
    assert refused.retry_after is not None
    assert 10 <= refused.retry_after <= 13  # 11 deep, one a second


def test_retry_after_of_a_cold_start_is_what_the_latest_start_suggests() -> None:
    queue = flow(cold_start_timeout_seconds=10)
    queue.last_cold_start = 25.0
    ask(queue)
    ((_, error),) = queue.expired(10.0)
    assert error.retry_after == 15


def test_of_a_start_that_is_held_up_the_503_says_why_and_when_the_next_try_is() -> None:
    queue = flow(cold_start_timeout_seconds=10)
    queue.hold_up, queue.next_start = "EngineFailed: exit code 2", 27.5
    ask(queue)
    ((_, error),) = queue.expired(10.0)
    assert (error.reason, error.retry_after) == ("EngineFailed: exit code 2", 18)
    queue.wake_refusal = "the scale is forbidden"  # nothing was started at all: that comes first
    ask(queue, now=10.0)
    ((_, error),) = queue.expired(30.0)
    assert (error.reason, error.retry_after) == ("the scale is forbidden", 60)


def test_a_suspended_service_refuses_and_what_is_being_read_is_refused_when_it_is_complete() -> None:
    queue = flow(ONE)
    ticket = Ticket(Silent())
    assert queue.ask(ticket, 0.0, body_read=False) is WAIT
    queue.configure(replace(CONFIG, suspended=True), 1.0)
    assert refusal(queue.body_read(ticket, 1.0)).code == "service_removed"
    assert refusal(ask(queue)[1]).code == "suspended"
    assert queue.depth == 0


def test_a_request_that_is_still_being_read_counts_and_gets_no_endpoint() -> None:
    queue = flow(ONE, max_depth=1)
    ticket = Ticket(Silent(), 3)
    assert queue.ask(ticket, 0.0, body_read=False) is WAIT
    assert refusal(ask(queue)[1]).code == "overload"
    assert isinstance(queue.body_read(ticket, 1.0), Endpoint)


def test_tickets_that_leave_are_not_kept() -> None:
    queue = flow(max_depth=10)
    ask(queue)
    for _ in range(10_000):
        ticket, _ = ask(queue)
        queue.done(ticket, 0.0)
    assert len(queue._line) < 200


def test_an_endpoint_that_goes_and_comes_back_still_counts_what_runs_on_it() -> None:
    queue = flow(ONE)
    running, _ = ask(queue)
    queue.set_endpoints((), 1.0)
    assert queue.set_endpoints((ONE,), 2.0) == []
    waiting, verdict = ask(queue, 3.0)
    assert verdict is WAIT
    assert queue.done(running, 4.0) == [waiting]


def drained(queue: Flow, running: Ticket) -> list[Ticket]:
    """Those that run one after the other, each when the one before it has ended."""
    order = []
    while granted := queue.done(running, 1000.0):
        (running,) = granted
        order.append(running)
    return order


def test_a_smaller_priority_runs_first_and_equals_in_the_order_of_their_arrival() -> None:
    queue = flow(ONE)
    running, _ = ask(queue)
    low, early, late, high = (ask(queue, 1.0, priority=p)[0] for p in (5, 0, 0, -5))
    assert drained(queue, running) == [high, early, late, low]


def test_five_steps_of_priority_are_worth_five_seconds_of_waiting_and_no_more() -> None:
    queue = flow(ONE)
    running, _ = ask(queue)
    low, _ = ask(queue, 10.0, priority=5)
    passes, _ = ask(queue, 14.9)
    after, _ = ask(queue, 15.1)
    assert drained(queue, running) == [passes, low, after]


def test_a_priority_that_only_the_body_tells_counts_from_the_arrival() -> None:
    queue = flow(ONE)
    running, _ = ask(queue)
    slow = Ticket(Silent())
    queue.ask(slow, 1.0, body_read=False)
    other, _ = ask(queue, 2.0)
    slow.priority = -1
    assert queue.body_read(slow, 9.0) is WAIT
    assert drained(queue, running) == [slow, other]


def test_a_ticket_knows_how_deep_the_queue_was_with_it() -> None:
    queue = flow(ONE)
    assert [ask(queue)[0].depth for _ in range(3)] == [1, 2, 3]


def test_an_endpoint_on_trial_has_one_request_at_a_time_and_a_full_share_afterwards() -> None:
    queue = flow(max_concurrency=2)
    queue.set_endpoints((ONE,), 0.0, on_trial={ONE})
    first, verdict = ask(queue)
    assert isinstance(verdict, Endpoint)
    second, third, fourth = (ask(queue)[0] for _ in range(3))
    assert queue.done(first, 1.0) == [second]
    assert queue.set_endpoints((ONE,), 2.0) == [third]
    assert fourth.stage is Stage.WAITING


def test_a_changed_spec_leaves_a_trial_a_trial() -> None:
    queue = flow(max_concurrency=2)
    queue.set_endpoints((ONE,), 0.0, on_trial={ONE})
    ask(queue)
    ask(queue)
    assert queue.configure(replace(CONFIG, max_concurrency=3), 1.0) == []
    assert queue.in_flight == 1


def test_who_waited_for_a_worker_goes_where_its_own_prompt_is_at_home() -> None:
    """Also where one with another prompt stood before it in the line, and left."""
    for prefix in range(1, 20):
        queue = flow(prefix_affinity=True)
        gone, waits, later = (Ticket(Silent()) for _ in range(3))
        for ticket, its in ((gone, 99), (waits, prefix), (later, prefix)):
            ticket.prefix = its
            queue.ask(ticket, 0.0, body_read=True)
        queue.done(gone, 1.0)
        queue.done(later, 1.0)
        queue.set_endpoints((ONE, TWO), 2.0)
        again, direct = Ticket(Silent()), flow(ONE, TWO, prefix_affinity=True)
        again.prefix = prefix
        verdict = direct.ask(again, 0.0, body_read=True)
        assert isinstance(verdict, Endpoint)
        assert waits.endpoint is not None
        assert waits.endpoint.key == verdict.key


def test_affinity_is_obeyed_only_where_the_service_asks_for_it() -> None:
    queue = flow(ONE, TWO)
    chosen = set()
    for _ in range(4):
        ticket = Ticket(Silent())
        ticket.prefix = 7
        verdict = queue.ask(ticket, 0.0, body_read=True)
        assert isinstance(verdict, Endpoint)
        chosen.add(verdict.key)
        queue.done(ticket, 0.0)
    assert chosen == {ONE, TWO}


def test_how_long_requests_run_is_a_mean_of_those_that_have_ended() -> None:
    queue = flow(ONE)
    assert queue.execution.seconds == 0.0
    for begin, seconds in ((0.0, 4.0), (10.0, 6.0)):
        ticket, _ = ask(queue, begin)
        waiting, _ = ask(queue, begin + 1)
        queue.done(waiting, begin + 2)  # never ran, and says nothing
        queue.done(ticket, begin + seconds)
    assert queue.execution.seconds == 5.0


def test_how_long_requests_run_follows_what_they_do_now() -> None:
    queue, now = flow(ONE), 0.0
    for seconds in [100.0] * 100 + [1.0] * 150:
        ticket, _ = ask(queue, now)
        now += seconds
        queue.done(ticket, now)
    assert 1.0 < queue.execution.seconds < 2.0
