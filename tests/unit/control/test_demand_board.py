from typing import Any

import pytest

from tidegate.control.demand import DemandBoard
from tidegate.domain.scaling import Load
from tidegate.domain.service import ServiceKey

KEY = ServiceKey("team", "qwen")


def line(waiting: int = 0, in_flight: int = 0, idle: float | None = 0.0) -> dict[str, Any]:
    return {
        "service": "team/qwen",
        "waiting": waiting,
        "inFlight": in_flight,
        "idleSeconds": idle,
        "arrivals": 1,
    }


@pytest.fixture
def board() -> DemandBoard:
    """Two gateways that serve and are heard."""
    found = DemandBoard()
    found.expect({"g1", "g2"})
    for address in ("g1", "g2"):
        found.connected(address)
        found.told(address, {"synced": True}, 0.0)
    return found


def test_the_gateways_numbers_add_up_and_the_latest_activity_counts(board: DemandBoard) -> None:
    assert board.told("g1", line(3, 2), now=100.0) == KEY
    board.told("g2", line(0, 1, idle=7.5), now=100.0)
    assert board.load(KEY) == Load(waiting=3, in_flight=3, last_activity=100.0)


def test_what_leaves_adds_up_and_a_gateway_of_an_earlier_release_tells_nothing_of_it(
    board: DemandBoard,
) -> None:
    board.told("g1", line(0, 3) | {"leaving": 2}, now=100.0)
    board.told("g2", line(0, 1), now=100.0)
    load = board.load(KEY)
    assert (load.in_flight, load.leaving, load.staying.in_flight) == (4, 2, 2)
    with pytest.raises(ValueError, match="not a line of demand"):
        board.told("g2", line(0, 1) | {"leaving": "1"}, now=100.0)


def test_a_service_that_never_had_a_request_has_no_activity(board: DemandBoard) -> None:
    board.told("g1", line(idle=None), now=100.0)
    assert board.load(KEY).last_activity is None
    assert board.load(ServiceKey("team", "other")) == Load()


def test_a_serving_gateway_that_is_not_heard_makes_it_silent(board: DemandBoard) -> None:
    assert not board.silent
    assert board.lost("g2") == set()
    assert board.silent
    board.connected("g2")
    assert board.silent, "it has not told everything yet"
    board.told("g2", {"synced": True}, 0.0)
    assert not board.silent


def test_before_the_gateways_are_known_it_is_silent_and_with_none_it_is_not() -> None:
    board = DemandBoard()
    assert board.silent
    board.expect(())
    assert not board.silent


def test_a_gateway_that_does_not_serve_may_be_unheard(board: DemandBoard) -> None:
    board.lost("g2")
    board.expect({"g1"})
    assert not board.silent


def test_what_a_lost_gateway_last_knew_still_counts_for_the_idle_clock(board: DemandBoard) -> None:
    board.told("g1", line(waiting=2, idle=0), now=100.0)
    assert board.lost("g1") == {KEY}
    assert board.load(KEY) == Load(last_activity=100.0, silent=True)
    board.forget(KEY)
    assert board.load(KEY).last_activity is None


def test_a_removed_service_is_forgotten_and_a_heartbeat_is_about_nobody(board: DemandBoard) -> None:
    board.told("g1", line(waiting=2), now=100.0)
    assert board.told("g1", {}, now=101.0) is None
    assert board.told("g1", {"service": "team/qwen", "removed": True}, now=101.0) == KEY
    assert board.load(KEY).waiting == 0


@pytest.mark.parametrize(
    "malformed",
    [
        {"service": "qwen"},
        {"service": "a/b"},
        {"service": "a/b", "waiting": "3", "inFlight": 0, "idleSeconds": 0},
    ],
)
def test_a_malformed_line_is_refused(board: DemandBoard, malformed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"namespace/name|not a line of demand"):
        board.told("g1", malformed, now=0.0)


def test_how_long_requests_run_is_what_the_arbiter_tells(board: DemandBoard) -> None:
    assert board.load(KEY).execution_seconds is None
    board.told("g1", line(3, 2) | {"executionSeconds": 4.5}, now=100.0)
    board.told("g2", line(0, 0) | {"executionSeconds": None}, now=100.0)
    assert board.load(KEY).execution_seconds == 4.5
    board.told("g2", line(0, 0) | {"executionSeconds": 6}, now=101.0)
    assert board.load(KEY).execution_seconds == 6, "while arbiters change, the slower"
    with pytest.raises(ValueError, match="not a line of demand"):
        board.told("g1", line() | {"executionSeconds": "4"}, now=102.0)


def test_what_a_lost_gateway_told_of_a_service_goes_with_the_service_on_a_standby_too(
    board: DemandBoard,
) -> None:
    board.told("g1", line(), now=100.0)
    board.lost("g1")
    assert board.load(KEY).last_activity == 100.0
    board.told("g2", {"service": "team/qwen", "removed": True}, now=200.0)
    assert board.load(KEY).last_activity is None


def start(worker: str, at: float) -> dict[str, Any]:
    return {"worker": worker, "at": at, "points": {"loaded": 12.0}}


def test_cold_starts_that_gateways_tell_of_are_remembered_once_and_in_order(board: DemandBoard) -> None:
    board.told("g1", line() | {"coldStarts": [start("a", 100.0), start("c", 300.0)]}, now=400.0)
    board.told("g2", line() | {"coldStarts": [start("b", 200.0)]}, now=400.0)
    board.told("g1", line() | {"coldStarts": [start("c", 300.0), {"worker": "odd"}]}, now=401.0)
    board.told("g1", line(), now=402.0)
    board.lost("g1")
    assert [each.worker for each in board.starts(KEY)] == ["a", "b", "c"]
    board.told("g2", line() | {"coldStarts": [start(f"w{n}", 400.0 + n) for n in range(40)]}, now=500.0)
    assert [each.worker for each in board.starts(KEY)] == [f"w{n}" for n in range(24, 40)]
    board.forget(KEY)
    assert board.starts(KEY) == ()


def test_a_start_is_pending_while_one_watches_it_or_cannot_be_heard(board: DemandBoard) -> None:
    assert not board.start_pending(KEY)
    board.told("g2", line() | {"starting": True}, now=100.0)
    assert board.start_pending(KEY)
    board.told("g2", line(), now=101.0)
    assert not board.start_pending(KEY)
    board.lost("g1")
    assert board.start_pending(KEY), "it may have watched one"


def test_a_start_by_a_clock_that_is_far_ahead_is_left_to_the_pods_to_tell(board: DemandBoard) -> None:
    """Counted, it would keep every start up to its time from being counted."""
    now = 1_767_225_600.0
    told = [{"worker": f"w{ahead}", "at": now + ahead, "points": {"loaded": 9.0}} for ahead in (0, 30, 3600)]
    board.told("g1", line() | {"coldStarts": told}, now)
    assert [each.worker for each in board.starts(KEY)] == ["w0", "w30"]
