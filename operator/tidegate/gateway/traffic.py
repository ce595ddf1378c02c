"""The traffic port: what its connections have in common, and who answers a request."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, cast

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import Ticket
from tidegate.domain.service import ServiceKey
from tidegate.gateway.accesslog import AccessLog
from tidegate.gateway.answering import Answering
from tidegate.gateway.books import Books
from tidegate.gateway.connection import ClientConnection
from tidegate.gateway.exchange import Exchange
from tidegate.gateway.fleet import Fleet
from tidegate.gateway.guard import guarded
from tidegate.gateway.local_answers import answer_locally
from tidegate.gateway.request import Request
from tidegate.gateway.service import Service
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.tunnel import Tunnel

_SMALLEST_LIMIT: Final = 1024 * 1024  # bytes of a body, where no service asks for more


class Traffic:
    """The state of the traffic port."""

    def __init__(
        self, settings: GatewaySettings, fleet: Fleet, log: AccessLog, time: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.fleet = fleet
        self.router = fleet.router
        self.log = log
        self.connections: set[ClientConnection] = set()
        self.draining = False
        self.alive: Callable[[], bool] = lambda: True  # the tasks run without which nothing goes on
        self.books = Books(log, time)
        self.time = time
        self._unrouted = self._held = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
        self._id_form = os.urandom(6).hex().encode() + b"-%x"

    def connection(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return cast(asyncio.Protocol, ClientConnection(self, self.time))

    # -- Host

    def body_limit(self) -> int:
        """See Host."""
        return max(self.fleet.largest_body, _SMALLEST_LIMIT)

    def answering(self, connection: ClientConnection, request: Request) -> Answering:
        """See Host."""
        if request.head.method != b"POST":
            local = answer_locally(self, connection, request)
            if local is not None:
                return local
            if request.head.websocket:
                return Tunnel(self, connection, request, self.time())
        return Exchange(self, connection, request, self.time())

    def refused(self, _request: Request | None, error: ApiError) -> None:
        """See Host."""
        self.books.refused(error)

    # -- for the exchanges

    def next_id(self) -> bytes:
        """A request id that no other request of this process has."""
        return self._id_form % next(self._ids)

    def by_model(self, model: str | None, namespace: str = "") -> Service | None:
        """The service that a body's ``model`` means, in one namespace where the path names one."""
        if model is None:
            return None
        return self.router.in_namespace(namespace, model) if namespace else self.router.by_model(model)

    def no_service(self, request: Request, target: bytes, model: str | None) -> ApiError:
        """Why a request that names no service we know is refused."""
        if model is not None:
            return self.unknown(model)
        method = request.head.method
        if method == b"POST":
            return errors.no_service_named()
        return errors.no_such_path(method.decode(), target.decode("latin-1"))

    def unknown(self, name: str) -> ApiError:
        """No such service; or this gateway cannot know yet."""
        return errors.model_not_found(name) if self.fleet.synced_once else errors.gateway_not_ready()

    def tickets(self) -> Iterator[tuple[ServiceKey, Ticket]]:
        """What the requests of this gateway hold in the queues of their services. One that was deleted and
        made again under the same name has another queue."""
        services = self.fleet.services
        for connection in self.connections:
            exchange = connection.current
            if isinstance(exchange, Exchange) and exchange.ticket is not None:
                service = exchange.service
                if service is not None and services.get(service.key) is service:
                    yield service.key, exchange.ticket

    def hold_unrouted(self, more: int) -> bool:
        """Counts ``more`` bytes (negative: fewer) of bodies without a service; False where too many."""
        self._unrouted += more
        return self._unrouted <= self.settings.max_unrouted_bytes

    def hold(self, more: int) -> ApiError | None:
        """Counts ``more`` bytes (negative: fewer) of bodies in memory; an ApiError where too many."""
        self._held += more
        if more > 0 and self._held > self.settings.max_held_bytes:
            return errors.gateway_holds(self.settings.max_held_bytes)
        return None

    @property
    def held(self) -> int:
        """Bytes of bodies in memory, over all services and none."""
        return self._held

    def out_of_memory(self) -> ApiError:
        """Too many large bodies are being read at once."""
        return errors.gateway_full(self.settings.max_unrouted_bytes)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` beside the data path, held until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def sweep(self, now: float) -> None:
        """Looks at the deadline of each connection."""
        for connection in list(self.connections):
            guarded(connection.sweep, now)
        self.books.settle()

    async def close(self) -> None:
        """Ends what is left at once."""
        for connection in list(self.connections):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.books.settle()
