"""What the traffic port answers by itself: health and the list of models. No worker is woken for these."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from tidegate.domain.api_errors import ApiError
from tidegate.domain.worker_state import WorkerState
from tidegate.gateway import response
from tidegate.gateway.connection import ClientConnection
from tidegate.gateway.model_list import all_models, one_model
from tidegate.gateway.request import Request
from tidegate.gateway.service import Service

if TYPE_CHECKING:
    from tidegate.gateway.traffic import Traffic

_PATHS = frozenset({b"/health", b"/healthz", b"/readyz", b"/v1/models"})
_ONE_MODEL = b"/v1/models/"


class LocalAnswer:
    """An answer that needs no worker and no wait."""

    __slots__ = ("_answer", "_connection", "_keep_alive", "reading", "request")

    def __init__(self, connection: ClientConnection, request: Request, status: int, body: bytes) -> None:
        self.request = request
        self.reading = False
        self._connection = connection
        self._keep_alive = request.complete and request.head.keep_alive and not connection.draining
        answer = response.whole(status, body, close=not self._keep_alive)
        self._answer = response.without_body(answer) if request.head.method == b"HEAD" else answer

    def start(self) -> None:
        """See Answering."""
        self._connection.write(self._answer)
        self._connection.finished(self.request, keep_alive=self._keep_alive)

    def body_arrived(self) -> None:
        """See Answering; it has ended before."""

    def body_failed(self, error: ApiError) -> None:
        """See Answering; it has ended before."""

    def client_gone(self) -> None:
        """See Answering."""

    def deadline_passed(self) -> None:
        """See Answering."""

    def sweep(self, now: float) -> None:
        """See Answering."""

    def pause(self) -> None:
        """See Answering."""

    def resume(self) -> None:
        """See Answering."""


def answer_locally(traffic: Traffic, connection: ClientConnection, request: Request) -> LocalAnswer | None:
    """The answer to a GET or HEAD that is for the gateway itself; None for everything else."""
    if request.head.method not in (b"GET", b"HEAD"):
        return None
    service, target, _, namespace = traffic.router.by_address(request.head.host, request.head.target)
    path = target.partition(b"?")[0]
    if path in _PATHS:
        status, body = _answer(traffic, path, service, namespace)
    elif path.startswith(_ONE_MODEL):
        name = unquote(path[len(_ONE_MODEL) :].decode("latin-1"))
        status, body = one_model(traffic, name, service, namespace)
    else:
        return None
    return LocalAnswer(connection, request, status, body)


def _answer(traffic: Traffic, path: bytes, service: Service | None, namespace: str) -> tuple[int, bytes]:
    if path == b"/healthz":
        return alive(traffic)
    if path == b"/readyz":
        return ready(traffic)
    if path == b"/v1/models":
        return all_models(traffic, service, namespace)
    services = list(traffic.fleet.services.values()) if service is None else [service]
    state = _state(services).value
    return 200, response.to_json({"status": "ok", "worker_state": state, "batch_window_ms": 0})


def alive(traffic: Traffic) -> tuple[int, bytes]:
    """The gateway's health: the tasks that it cannot do without still run. Only a restart helps where not."""
    if not traffic.alive():
        return 500, response.to_json({"status": "a task of this gateway has ended: see its log"})
    return 200, response.to_json({"status": "ok"})


def ready(traffic: Traffic) -> tuple[int, bytes]:
    """The gateway's readiness: it knows the services, and is not about to stop."""
    if traffic.draining:
        return 503, response.to_json({"status": "draining"})
    if not traffic.fleet.synced_once:
        return 503, response.to_json({"status": "the services are not known yet"})
    return 200, response.to_json({"status": "ok"})


def _state(services: list[Service]) -> WorkerState:
    """The most awake state among several services."""
    states = {service.state for service in services}
    return next((state for state in WorkerState if state in states), WorkerState.IDLE)
