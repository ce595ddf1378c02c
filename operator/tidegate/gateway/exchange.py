"""One request of a service, from its arrival to its one outcome.

::

    start ── reading ──▶ ask ──▶ waiting ──▶ dispatched ──▶ answering ──▶ ended
                          │         │  ▲          │             │
                       rejected  evicted └─ given back       cut short
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import WAIT, Endpoint, Ticket, Verdict
from tidegate.domain.outcome import Outcome
from tidegate.gateway import account, endings
from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.body_intake import BodyIntake
from tidegate.gateway.connection import NEVER, ClientConnection
from tidegate.gateway.passage import Dechunker, answer_head, request_head
from tidegate.gateway.peek import NOTHING, peek
from tidegate.gateway.request import Refusal, Request
from tidegate.gateway.service import Service
from tidegate.gateway.upstream import Upstream

if TYPE_CHECKING:
    from tidegate.gateway.pool import Pool
    from tidegate.gateway.traffic import Traffic

CLIENT_GONE_STATUS = 499  # nginx's number for a client that closed; nobody reads it but the metric


class Exchange:
    """Answers one request: as Answering to its connection, Waiter to the arbiter, Receiver to the worker."""

    # Most requests have these; an instance holds only what differs.
    service: Service | None = None
    ticket: Ticket | None = None
    intake: BodyIntake | None = None
    upstream: Upstream | None = None
    outcome: Outcome | None = None
    peeked = NOTHING
    dispatched = first_byte = cold_wait = 0.0
    status = tries = 0
    reading = sse = answered = head_only = False
    reason = ""

    def __init__(self, traffic: Traffic, connection: ClientConnection, request: Request, now: float) -> None:
        self.traffic = traffic
        self.connection = connection
        self.request = request
        self.arrived = now
        self.id = request.request_id or traffic.next_id()
        self.keep_alive = request.keep_alive
        self.target = request.target
        if request.method == b"HEAD":
            self.head_only = True

    # -- Answering: arrival

    def start(self) -> None:
        """Finds the service, where Host or path tell it, and admits the request or reads on."""
        request = self.request
        self.service, self.target, missing = self.traffic.router.by_address(request.host, request.target)
        if missing is not None:
            self.refuse(self.traffic.unknown(missing))
        elif request.complete:
            self.admit()
        else:
            self.intake = BodyIntake(self)
            self.intake.begin()

    def body_arrived(self) -> None:
        """See Answering."""
        if self.intake is not None:
            self.intake.more()

    def admit(self) -> None:
        """The whole body is there, and nothing was asked for it yet."""
        if not self.look_into_body():
            return
        service = self.service or self.traffic.by_model(self.peeked.model)
        if service is None:
            self.refuse(self.traffic.no_service(self.request, self.target, self.peeked.model))
            return
        self.service = service
        service.arrived(self.arrived)
        self.ticket = Ticket(self, self.request.received)
        self.obey(service.arbiter.ask(self.ticket, body_read=True))

    def look_into_body(self) -> bool:
        """Reads the fields that matter here; False where the body is refused."""
        if self.request.method != b"POST" or self.request.content_type.startswith(b"multipart/"):
            return True
        try:
            self.peeked = peek(self.request.body())
        except Refusal as refusal:
            self.refuse(refusal.error)
            return False
        return True

    def obey(self, verdict: Verdict) -> None:
        """Does what the arbiter says."""
        if isinstance(verdict, Endpoint):
            self.granted(verdict)
        elif verdict is not WAIT:
            self.refuse(verdict)

    # -- Waiter

    def granted(self, endpoint: Endpoint) -> None:
        """See Waiter: sends the request to ``endpoint``."""
        service, ticket = self.service, self.ticket
        if service is None or ticket is None:
            return
        now = self.traffic.time()
        self.dispatched, self.cold_wait = now, ticket.cold_wait
        self.tries += 1
        self.connection.deadline = now + service.config.execution_timeout_seconds
        self._use(service.pool(endpoint.key))

    def evicted(self, error: ApiError) -> None:
        """See Waiter."""
        self.refuse(error)

    # -- to a worker

    def _use(self, pool: Pool) -> None:
        upstream = pool.take()
        if upstream is None:
            self.traffic.spawn(self._connect(pool))
        else:
            self._send(pool, upstream)

    async def _connect(self, pool: Pool) -> None:
        tries = self.tries
        try:
            upstream = await pool.connect()
        except (OSError, TimeoutError) as error:
            if self.outcome is None and self.tries == tries:
                self.upstream_failed(f"cannot connect: {error or 'no answer in time'}", unused=False)
            return
        if self.outcome is None and self.tries == tries:
            self._send(pool, upstream)
        else:
            pool.release(upstream)  # the client left meanwhile

    def _send(self, pool: Pool, upstream: Upstream) -> None:
        self.upstream = upstream
        request = self.request
        upstream.send(self, request_head(request, self.target, pool.authority, self.id), request.body())

    # -- Receiver

    def answer_began(self, upstream: Upstream, head: AnswerHead, rest: bytes) -> None:
        """See Receiver: passes the head on, and joins the two transports."""
        self.answered = True
        self.status, self.sse = head.status, head.sse
        self.request.drop_body()
        if self.traffic.draining or (head.until_close and not self.head_only):
            self.keep_alive = False  # its end is the end of the connection
        if head.chunked and self.request.http10:
            self._answer_without_chunks(upstream, head, rest)
            return
        write = self.connection.transport.write
        write(answer_head(head, endings.own_fields(self), close=not self.keep_alive, whole=True) + rest)
        if rest:
            self._body_began()
            upstream.write = write
        else:
            upstream.write = self._first_piece
        if self.connection.write_paused:
            upstream.pause()

    def _answer_without_chunks(self, upstream: Upstream, head: AnswerHead, rest: bytes) -> None:
        write = self.connection.transport.write
        write(answer_head(head, endings.own_fields(self), close=True, whole=False))
        self._body_began()
        upstream.write = Dechunker(head.raw, write).feed
        upstream.write(rest)

    def _first_piece(self, data: bytes) -> None:
        """A body that came after its head has begun."""
        write = self.connection.transport.write
        self._body_began()
        if self.upstream is not None:
            self.upstream.write = write
        write(data)

    def _body_began(self) -> None:
        self.first_byte = self.traffic.time()
        if self.service is not None:
            self.service.first_byte()

    def answer_ended(self) -> None:
        """See Receiver."""
        self.upstream = None
        self._end(Outcome.COMPLETED)
        self.connection.finished(self.request, keep_alive=self.keep_alive)

    def upstream_failed(self, reason: str, *, unused: bool) -> None:
        """See Receiver: tries again where no byte of an answer was passed on."""
        service, ticket = self.service, self.ticket
        if self.outcome is not None or service is None or ticket is None or ticket.endpoint is None:
            return
        if self.answered:
            self._cut_short(errors.worker_died(service.key, reason))
            return
        self.upstream = None
        if unused:
            self._use(service.pool(ticket.endpoint.key))
            return
        service.endpoint_failed(ticket.endpoint.key)
        if self.tries >= self.traffic.settings.max_tries:
            self.refuse(errors.worker_failed(service.key, self.tries, reason))
        else:
            self.connection.deadline = NEVER
            service.arbiter.give_back(ticket)

    # -- Answering: ends before their time

    def body_failed(self, error: ApiError) -> None:
        """See Answering."""
        self.refuse(error)

    def client_gone(self) -> None:
        """See Answering: the worker stops working for nobody."""
        self._drop_upstream()
        self.status = CLIENT_GONE_STATUS
        self._end(Outcome.CLIENT_GONE)

    def deadline_passed(self) -> None:
        """See Answering: the body did not come, or the worker took too long."""
        self.connection.deadline = NEVER
        if self.reading:
            self.refuse(errors.body_timeout(self.traffic.settings.body_timeout))
        elif self.service is not None:
            config = self.service.config
            self._stop(errors.execution_timeout(config.key, config.execution_timeout_seconds))

    def abandon(self) -> None:
        """The gateway's time to drain is over."""
        self._stop(errors.gateway_draining())

    def _stop(self, error: ApiError) -> None:
        """Ends the request with ``error``, and the engine's work for it."""
        if self.answered:
            self._cut_short(error)
        else:
            self._drop_upstream()
            self.refuse(error)

    def pause(self) -> None:
        """See Answering."""
        if self.upstream is not None:
            self.upstream.pause()

    def resume(self) -> None:
        """See Answering."""
        if self.upstream is not None:
            self.upstream.resume()

    def _drop_upstream(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.close()

    def _cut_short(self, error: ApiError) -> None:
        """Ends an answer that has begun: with an error event where the format has a place for one."""
        event = endings.last_event(self, error)
        self._drop_upstream()
        self.reason = error.reason or ""
        self._end(error.outcome)
        if event:
            self.connection.write(event)
            self.connection.finished(self.request, keep_alive=False)
        else:
            self.connection.abort()  # the missing end tells the client

    def refuse(self, error: ApiError) -> None:
        """Answers with ``error``; what was held is free before the client can read it."""
        self.status, self.reason = error.status, error.reason or ""
        self._end(error.outcome)
        keep_alive = self.keep_alive and self.request.complete and not self.traffic.draining
        self.connection.write(endings.refusal(self, error, close=not keep_alive))
        self.connection.finished(self.request, keep_alive=keep_alive)

    def _end(self, outcome: Outcome) -> None:
        if self.outcome is not None:
            return
        self.outcome = outcome
        self.reading = False
        if self.intake is not None:
            self.intake.release()
            self.intake = None
        account.ended(self, self.traffic.time())
        self.ticket = None  # it points back here; without cycles the garbage collector has nothing to do
