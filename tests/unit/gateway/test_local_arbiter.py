"""The arbiter of one gateway delivers what the flow decides."""

from __future__ import annotations

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Ticket
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.gateway.local_arbiter import LocalArbiter

ONE = EndpointKey("one", 0, "h", 1)


class Told:
    """A waiter that remembers what it was granted."""

    def __init__(self) -> None:
        self.endpoints: list[EndpointKey] = []

    def granted(self, endpoint: Endpoint) -> None:
        self.endpoints.append(endpoint.key)

    def evicted(self, error: ApiError) -> None:
        raise AssertionError(error)

    def admitted(self) -> None:
        raise AssertionError("said by ask itself")


async def test_who_waits_beside_an_endpoint_on_trial_is_granted_it_when_the_trial_ends() -> None:
    arbiter = LocalArbiter(ServiceConfig(ServiceKey("n", "s"), 0.0, ("m",)), lambda: 0.0, lambda: None)
    first, second = Told(), Told()
    arbiter.set_endpoints((ONE,), on_trial={ONE})
    assert isinstance(arbiter.ask(Ticket(first), body_read=True), Endpoint)
    assert arbiter.ask(Ticket(second), body_read=True) is WAIT
    assert second.endpoints == []
    arbiter.set_endpoints((ONE,))
    assert second.endpoints == [ONE]
    arbiter.close()


class Broken(Told):
    """A waiter with a defect."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[ApiError] = []

    def granted(self, endpoint: Endpoint) -> None:
        raise ArithmeticError(endpoint)

    def evicted(self, error: ApiError) -> None:
        self.errors.append(error)


async def test_a_defect_in_one_request_costs_neither_the_one_that_ends_nor_the_one_behind_it() -> None:
    config = ServiceConfig(ServiceKey("n", "s"), 0.0, ("m",), max_concurrency=2)
    arbiter = LocalArbiter(config, lambda: 0.0, lambda: None)
    broken, behind = Broken(), Told()
    arbiter.ask(Ticket(broken), body_read=True)
    arbiter.ask(Ticket(behind), body_read=True)
    arbiter.set_endpoints((ONE,))
    assert [error.code for error in broken.errors] == ["gateway_failed"]
    assert behind.endpoints == [ONE]
    arbiter.close()
