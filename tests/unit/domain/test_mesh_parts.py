"""The parts of the arbitration that the random walk does not look at by name."""

from __future__ import annotations

import pytest

from tests.unit.domain.mesh_world import CONFIG, ENDPOINTS, HERE, KEY, Home, Node, Request, World
from tidegate.domain.flow_ticket import Stage, Ticket
from tidegate.domain.peers import Link, View
from tidegate.domain.rendezvous import choose
from tidegate.domain.seat import PATIENCE_SECONDS

SERVICES = [f"n/s{number}" for number in range(400)]


def test_rendezvous_chooses_alike_in_every_process_and_for_ever() -> None:
    chosen = [choose(name, ["a", "b", "c"]) for name in SERVICES[:8]]
    assert chosen == ["a", "b", "b", "b", "a", "b", "c", "b"]
    assert choose("n/s", ["b", "a"]) == choose("n/s", ["a", "b"])


def test_when_a_gateway_goes_only_its_own_services_move() -> None:
    before = {name: choose(name, ["a", "b", "c"]) for name in SERVICES}
    after = {name: choose(name, ["a", "b"]) for name in SERVICES}
    moved = {name for name in SERVICES if before[name] != after[name]}
    assert moved == {name for name in SERVICES if before[name] == "c"}
    assert 90 < len(moved) < 180


def test_a_draining_gateway_is_no_candidate_while_another_one_stays() -> None:
    view = View("own")
    view.own.ready = True
    view.list([("h", 1)])
    peer = view.peers["h", 1]
    peer.id, peer.link, peer.ready = "other", Link.UP, True
    view.own.leaving = True
    view.changed()
    assert {view.arbiter(name) for name in SERVICES} == {"other"}
    peer.leaving = True
    view.changed()
    assert {view.arbiter(name) for name in SERVICES} == {"own", "other"}
    assert view.awaited == {"other"}


def test_a_gateway_that_is_listed_later_is_not_waited_for_before_it_has_told_who_it_is() -> None:
    view = View("own")
    view.list([("h", 1)])
    assert not view.settled
    view.peers["h", 1].link = Link.GONE
    assert view.settled
    view.list([("h", 1), ("h", 2)])
    assert view.settled


def test_a_ticket_that_moves_keeps_its_place_and_what_it_has_used_of_its_budgets() -> None:
    world = World(1)
    first, second = Home(world.time), Home(world.time)
    first.thaw()
    first.flow.set_endpoints([], 0.0)
    world.start(0)
    node = world.living[0]
    older, younger = Request(node), Request(node)
    first.ask(older.ticket, body_read=True)
    world.now = 20.0
    first.ask(younger.ticket, body_read=True)
    world.now = 30.0
    moved = [(ticket, first.held(ticket)) for ticket in (younger.ticket, older.ticket)]
    first.release(ticket for ticket, _ in moved)
    assert (first.flow.depth, first.flow.waiting, first.flow.bytes_held) == (0, 0, 0)
    second.flow.set_endpoints([], 30.0)
    for ticket, held in moved:
        second.adopt(ticket, held)
    second.thaw()
    assert second.flow.next_expiry(30.0) == CONFIG.cold_start_timeout_seconds - 30.0
    assert second.flow.set_endpoints(ENDPOINTS[:1], 30.0)[0] is older.ticket


def alone(world: World) -> Node:
    """A gateway that knows of another one which is there, and has not joined it."""
    world.start(0)
    node = world.living[0]
    peer = node.view.peers["1", 1]
    peer.id, peer.link = "other", Link.UP
    node.ready = node.view.own.ready = True
    node.changed()
    return node


def test_a_gateway_that_is_there_and_does_not_join_is_waited_for_some_seconds() -> None:
    world = World(2)
    node = alone(world)
    request = Request(node)
    request.begin(whole=True)
    world.now = PATIENCE_SECONDS - 0.1
    assert not node.seat.turn()
    assert request.ticket.stage is Stage.ASKED
    world.now = PATIENCE_SECONDS
    assert node.seat.turn()
    assert request.runs == 1


def test_a_body_that_grows_over_the_limit_ends_at_the_member_at_once() -> None:
    world = World(1)
    world.start(0)
    remote = world.living[0].remote
    ticket = Ticket(Request(world.living[0]), 1)
    remote.ask(ticket, body_read=False)
    error = remote.grow(ticket, CONFIG.max_bytes)
    assert error is not None
    assert error.status == 413
    assert remote.key == KEY


def two_at_rest() -> tuple[World, Node, Node]:
    """Two gateways, of which the second one is the arbiter and the first one its member."""
    world = World(2)
    world.start(0)
    world.start(1)
    world.settle()
    member, arbiter = world.living
    assert arbiter.seat.acts
    assert member.seat.arbiter == arbiter.id
    return world, member, arbiter


def crossing() -> tuple[World, list[Request]]:
    """Each takes the seat, while the word with which it left the other one is on its way: the first one is
    ready, and the second one drains for a moment. Requests that fill a queue come to either."""
    world, first, second = two_at_rest()
    first.become(ready=True, leaving=False)
    second.become(ready=False, leaving=True)
    second.become(ready=False, leaving=False)
    assert first.seat.here
    assert second.seat.here
    joins = second.wires[0].up
    while len(joins) > 1:  # all but that it left
        joins.popleft()()
    requests = [Request(node) for node in (first, second) for _ in range(CONFIG.max_depth)]
    for request in requests:
        request.node.requests.append(request)
        request.begin(whole=True)
    return world, requests


def held_here(requests: list[Request]) -> int:
    return sum(request.ticket.stage in HERE for request in requests)


def test_two_gateways_that_leave_each_other_at_once_do_not_both_decide() -> None:
    _, requests = crossing()
    assert held_here(requests) == 0


def test_those_that_left_each_other_at_once_agree_when_their_words_have_arrived() -> None:
    world, requests = crossing()
    world.settle()
    first, second = world.living
    assert (first.seat.acts, second.seat.here) == (True, False)
    assert held_here(requests) == CONFIG.max_depth
    assert sum(len(request.ends) for request in requests) == CONFIG.max_depth


def test_an_arbiter_that_takes_its_seat_anew_asks_its_members_whether_they_are_its_own_still() -> None:
    world, member, arbiter = two_at_rest()
    arbiter.become(ready=False, leaving=True)
    arbiter.become(ready=False, leaving=False)
    assert member.seat.arbiter == arbiter.id
    assert not arbiter.seat.acts
    world.settle()
    assert arbiter.seat.acts


def test_an_answer_to_a_call_that_was_not_made_is_no_word_of_a_member() -> None:
    _, _, arbiter = two_at_rest()
    (membership,) = arbiter.seat.members.values()
    with pytest.raises(ValueError, match="not made"):
        arbiter.seat.reported(membership)


def unseen() -> tuple[World, Node, Node]:
    """An arbiter whose workers are busy with requests of a gateway that it has not reached itself."""
    world = World(2)
    world.start(0)
    arbiter = world.living[0]
    arbiter.become(ready=True, leaving=False)
    arbiter.connect(1)  # nobody is there yet
    world.start(1)
    member = world.living[1]
    member.connect(0)
    for _ in range(2 * CONFIG.max_concurrency):
        member.requests.append(Request(member))
        member.requests[-1].begin(whole=True)
    while queues := world.queues():
        queues[0].popleft()()
    assert arbiter.home.flow.in_flight == 2 * CONFIG.max_concurrency
    assert arbiter.view.awaited == set()
    return world, arbiter, member


def asks(arbiter: Node) -> Request:
    request = Request(arbiter)
    arbiter.requests.append(request)
    request.begin(whole=True)
    return request


def test_a_gateway_that_was_never_reached_may_live_when_its_connection_breaks() -> None:
    world, arbiter, member = unseen()
    member.wires[0].cut()
    while queues := world.queues():
        queues[0].popleft()()
    request = asks(arbiter)
    assert request.runs == 0
    world.settle()
    assert request.runs == 0  # it came back, and what it holds still runs
    member.requests[0].finish()
    world.settle()
    assert request.runs == 1


def test_a_gateway_that_was_never_reached_may_take_its_requests_with_it() -> None:
    world, arbiter, member = unseen()
    member.become(ready=True, leaving=False)
    arbiter.become(ready=False, leaving=False)
    while queues := world.queues():
        queues[0].popleft()()
    assert not member.seat.acts
    assert member.seat.here
    assert asks(arbiter).runs == 0


def test_a_gateway_that_was_never_reached_and_does_not_come_back_is_waited_for_some_seconds() -> None:
    world, arbiter, member = unseen()
    world.kill(member)
    while queues := world.queues():
        queues[0].popleft()()
    request = asks(arbiter)
    world.now += PATIENCE_SECONDS - 0.1
    assert not arbiter.seat.turn()
    world.now += 0.2
    assert arbiter.seat.turn()
    assert request.runs == 1


def test_a_gateway_that_was_never_reached_and_holds_nothing_is_not_waited_for() -> None:
    world, arbiter, member = unseen()
    for request in member.requests:
        request.finish()
    world.kill(member)
    while queues := world.queues():
        queues[0].popleft()()
    assert asks(arbiter).runs == 1
