"""Requests that wait while no gateway is the arbiter: they have their budgets, and an end."""

from __future__ import annotations

import pytest

from tests.unit.domain.mesh_world import CONFIG, ENDPOINTS, KEY, Node, Request, Wire, World
from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import Stage
from tidegate.domain.remote_arbiter import BACKSTOP_SECONDS, RemoteArbiter
from tidegate.domain.shared_flow import SharedFlow

REMOVED = errors.removed(KEY)


def frozen(*, ready: bool) -> tuple[SharedFlow, Request]:
    """A queue that does not act yet, and a request that has asked it."""
    world = World(1)
    world.start(0)
    flow = SharedFlow(CONFIG, 0.0)
    flow.set_endpoints(ENDPOINTS if ready else [], 0.0)
    request = Request(world.living[0])
    flow.ask(request.ticket, 0.0, body_read=True)
    return flow, request


@pytest.mark.parametrize(
    ("ready", "budget", "code"),
    [
        (True, CONFIG.wait_timeout_seconds, "queue_timeout"),
        (False, CONFIG.cold_start_timeout_seconds, "cold_start_timeout"),
    ],
)
def test_what_is_parked_is_refused_when_its_budget_is_used_up(ready: bool, budget: float, code: str) -> None:
    flow, request = frozen(ready=ready)
    assert flow.next_expiry(10.0) == budget - 10.0
    assert flow.expired(budget - 0.1) == []
    assert [(ticket, error.code) for ticket, error in flow.expired(budget)] == [(request.ticket, code)]
    assert not flow.busy
    assert flow.thaw(budget) == ([], [])


def test_a_parked_request_whose_body_is_awaited_has_no_budget_yet() -> None:
    flow, request = frozen(ready=True)
    reading = Request(request.node)
    flow.ask(reading.ticket, 0.0, body_read=False)
    assert [ticket for ticket, _ in flow.expired(1e6)] == [request.ticket]
    flow.body_read(reading.ticket, 1e6)
    assert [ticket for ticket, _ in flow.expired(1e6)] == [reading.ticket]


def test_what_is_parked_is_sent_away_with_its_service() -> None:
    flow, request = frozen(ready=True)
    assert flow.evict_all(1.0) == [request.ticket]
    assert request.ticket.stage is Stage.ENDED
    assert not flow.busy


def member() -> tuple[World, RemoteArbiter, Request]:
    """A gateway that asks another one, and a request of it."""
    world = World(1)
    world.start(0)
    node: Node = world.living[0]
    return world, node.remote, Request(node)


def test_a_request_that_runs_when_its_service_is_deleted_never_waits_again() -> None:
    _, remote, request = member()
    remote.ask(request.ticket, body_read=True)
    request.ticket.stage = Stage.RUNNING
    remote.close(REMOVED)
    assert request.ends == []
    remote.give_back(request.ticket)
    assert request.ends == ["service_removed"]
    assert not remote.tickets


def test_a_deleted_service_refuses_who_asks_late() -> None:
    _, remote, request = member()
    remote.close(REMOVED)
    verdict = remote.ask(request.ticket, body_read=True)
    assert isinstance(verdict, ApiError)
    assert verdict.code == "service_removed"
    assert not remote.tickets


@pytest.mark.parametrize(
    ("ready", "budget", "code"),
    [
        (True, CONFIG.wait_timeout_seconds, "queue_timeout"),
        (False, CONFIG.cold_start_timeout_seconds, "cold_start_timeout"),
    ],
)
@pytest.mark.parametrize("spare", [0.0, BACKSTOP_SECONDS])
def test_a_member_answers_itself_where_no_arbiter_does(
    ready: bool, budget: float, code: str, spare: float
) -> None:
    """At once where there is none; one that is there gets a little longer: its answer is better."""
    world, remote, request = member()
    request.node.home.flow.set_endpoints(ENDPOINTS if ready else [], 0.0)
    remote.ask(request.ticket, body_read=True)
    if spare:
        remote.join(Wire(request.node, request.node, 0))
    world.now = budget + spare
    remote.expire()
    assert request.ends == []
    world.now += 0.1
    remote.expire()
    assert request.ends == [code]
