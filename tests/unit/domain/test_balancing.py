"""Which endpoint a request gets."""

from __future__ import annotations

from collections import Counter

import pytest

from tidegate.domain.balancing import by_prefix, least_in_flight, salt
from tidegate.domain.flow_ticket import Endpoint, EndpointKey


def endpoints(count: int, limit: int = 1000) -> list[Endpoint]:
    made = [Endpoint(EndpointKey(f"worker-{n}", 0, "h", n)) for n in range(count)]
    for endpoint in made:
        endpoint.limit, endpoint.salt = limit, salt(endpoint.key.uid)
    return made


def prefixes(count: int) -> list[int]:
    return [salt(f"prompt {n}") for n in range(count)]


def home(workers: list[Endpoint], prefix: int) -> str:
    chosen = by_prefix(workers, prefix)
    assert chosen is not None
    return chosen.key.uid


def test_a_prefix_stays_at_home_and_prefixes_are_spread_evenly() -> None:
    workers = endpoints(8)
    homes = Counter(home(workers, prefix) for prefix in prefixes(16_000))
    assert sum(homes.values()) == 16_000
    assert all(1_700 < homes[worker.key.uid] < 2_300 for worker in workers)


@pytest.mark.parametrize("gone", range(5))
def test_when_an_endpoint_goes_only_its_own_prefixes_move_and_they_move_to_all_others(gone: int) -> None:
    workers = endpoints(5)
    lost = workers[gone].key.uid
    rest = [worker for worker in workers if worker.key.uid != lost]
    moved: Counter[str] = Counter()
    for prefix in prefixes(5_000):
        before, after = home(workers, prefix), home(rest, prefix)
        assert before in (after, lost)
        moved[after] += before == lost
    assert all(150 < moved[worker.key.uid] < 350 for worker in rest)


def test_one_popular_prefix_never_loads_an_endpoint_beyond_125_percent_of_the_even_share() -> None:
    """100 requests with one prefix on 4 workers: 25 each is even, so nobody runs more than 32."""
    workers = endpoints(4)
    for _ in range(100):
        chosen = by_prefix(workers, 7)
        assert chosen is not None
        chosen.in_flight += 1
    assert sorted(worker.in_flight for worker in workers)[-1] == 32
    assert sum(worker.in_flight for worker in workers) == 100


def test_an_overflowing_prefix_always_overflows_to_the_same_endpoint() -> None:
    workers = endpoints(4)
    by_uid = {worker.key.uid: worker for worker in workers}
    first = home(workers, 7)
    by_uid[first].in_flight = 9
    second = {home(workers, 7) for _ in range(10)}
    assert len(second) == 1
    assert second != {first}


def test_a_full_endpoint_is_passed_over_and_a_free_slot_beyond_the_bound_is_used() -> None:
    workers = endpoints(2, limit=4)
    trial, full = workers
    trial.limit, trial.in_flight = 1, 1  # below the bound, and full
    full.in_flight = 3  # beyond the bound of ceil(5 * 1.25 / 2) = 4 with the next one, and with a free slot
    for prefix in prefixes(20):
        assert by_prefix(workers, prefix) is full
    full.in_flight = 4
    assert by_prefix(workers, 7) is None


def test_beyond_the_bound_the_free_slot_is_still_used() -> None:
    one, two, three = workers = endpoints(3, limit=9)
    one.limit = two.limit = one.in_flight = two.in_flight = 1
    three.in_flight = 7  # the bound is ceil(10 * 1.25 / 3) = 5
    assert by_prefix(workers, 7) is three


@pytest.mark.parametrize("choose", [by_prefix, least_in_flight])
def test_no_endpoints_no_choice(choose: object) -> None:
    assert callable(choose)
    assert choose([], 3) is None


def test_the_fewest_in_flight_wins_among_those_with_a_free_slot() -> None:
    one, two, three = workers = endpoints(3)
    one.in_flight, two.in_flight, three.in_flight = 3, 1, 2
    assert {least_in_flight(workers, turn) for turn in range(6)} == {two}
    two.limit = 1
    assert {least_in_flight(workers, turn) for turn in range(6)} == {three}


def test_a_workers_salt_is_the_same_in_every_process() -> None:
    assert salt("worker-0") == 0x194F5429ABAE9412
