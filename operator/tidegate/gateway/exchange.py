"""One request of a service, from its arrival to its one outcome.

::

    start ── reading ──▶ ask ──▶ waiting ──▶ dispatched ──▶ answering ──▶ ended
                          │         │  ▲          │             │
                       rejected  evicted └─ given back       cut short
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import WAIT, Endpoint, Ticket, Verdict
from tidegate.domain.outcome import Outcome
from tidegate.gateway import comments, dispatch, endings, rewriting
from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.body_intake import BodyIntake
from tidegate.gateway.comments import Comments
from tidegate.gateway.connection import NEVER, ClientConnection
from tidegate.gateway.metrics import CLIENT_GONE_STATUS
from tidegate.gateway.passage import Dechunker, answer_head, answer_head_without_chunks, request_head
from tidegate.gateway.peek import NOTHING, peek
from tidegate.gateway.peek_form import peek_form
from tidegate.gateway.prefix import prompt_prefix
from tidegate.gateway.priority import priority_in_queue
from tidegate.gateway.request import Refusal, Request
from tidegate.gateway.router import workers_own
from tidegate.gateway.service import Service
from tidegate.gateway.upstream import Upstream

if TYPE_CHECKING:
    from tidegate.gateway.pool import Pool
    from tidegate.gateway.traffic import Traffic

_COMPLETED: Final = Outcome.COMPLETED
_CLIENT_GONE: Final = Outcome.CLIENT_GONE


class Exchange:
    """Answers one request: as Answering to its connection, Waiter to the arbiter, Receiver to the worker."""

    __slots__ = (
        "answered",
        "arrived",
        "cold_wait",
        "comments",
        "connection",
        "degraded",
        "dispatched",
        "ended",
        "endpoint",
        "first_byte",
        "head_only",
        "held",
        "id",
        "intake",
        "keep_alive",
        "namespace",
        "onward",
        "outcome",
        "peeked",
        "prepared",
        "reading",
        "reason",
        "request",
        "service",
        "sse",
        "status",
        "tail",
        "target",
        "ticket",
        "traffic",
        "tries",
        "upstream",
    )

    def __init__(self, traffic: Traffic, connection: ClientConnection, request: Request, now: float) -> None:
        head = request.head
        self.traffic = traffic
        self.connection = connection
        self.request = request
        self.arrived = now
        self.id = head.request_id or traffic.next_id()
        self.keep_alive = head.keep_alive
        self.head_only = head.method == b"HEAD"
        self.target = head.target
        self.onward: Callable[[bytes], None] = connection.write
        self.service: Service | None = None
        self.ticket: Ticket | None = None
        self.intake: BodyIntake | None = None
        self.upstream: Upstream | None = None
        self.outcome: Outcome | None = None
        self.comments: Comments | None = None
        self.peeked = NOTHING
        self.dispatched = self.first_byte = self.cold_wait = self.ended = 0.0
        self.status = self.tries = self.held = 0
        self.reading = self.sse = self.answered = self.prepared = False
        self.reason = self.namespace = ""
        self.degraded = ""  # the tier and its limit, where they changed the request
        self.endpoint = self.tail = b""  # the worker's address, and the end of its answer: for the books

    # -- Answering: arrival

    def start(self) -> None:
        """Finds the service, where Host or path tell it, and admits the request or reads on."""
        head = self.request.head
        self.service, self.target, missing, self.namespace = self.traffic.router.by_address(
            head.host, head.target
        )
        if missing is not None:
            self.refuse(self.traffic.unknown(missing))
        elif not self.target.startswith(b"/v1/") and workers_own(self.target):
            self.refuse(errors.no_such_path(head.method.decode(), self.target.decode("latin-1")))
        elif head.method != b"POST" and (asleep := self._asleep()) is not None:
            self.refuse(asleep)
        elif self.request.complete:
            self.admit()
        else:
            self.intake = BodyIntake(self)
            self.intake.begin()

    def _asleep(self) -> ApiError | None:
        """A browser, a crawler or a scraper must not start a GPU: only a POST does."""
        service = self.service
        if service is None or service.flow.endpoints or service.config.suspended:
            return None
        path = self.target.partition(b"?")[0].decode("latin-1")
        return errors.nobody_answers(self.request.head.method.decode(), path, service.key)

    def body_arrived(self) -> None:
        """See Answering."""
        if self.intake is not None:
            self.intake.more()

    def admit(self) -> None:
        """The whole body is there, and nothing was asked for it yet."""
        error = self.hold_body()
        if error is not None:
            self.refuse(error)
            return
        if not self.look_into_body():
            return
        service = self.service or self.traffic.by_model(self.peeked.model, self.namespace)
        if service is None:
            self.refuse(self.traffic.no_service(self.request, self.target, self.peeked.model))
            return
        self.service = service
        service.arrived(self.arrived)
        self.ticket = ticket = Ticket(self, self.request.received)
        self.set_place(ticket, service)
        self.obey(service.arbiter.ask(ticket, body_read=True))

    def set_place(self, ticket: Ticket, service: Service) -> None:
        """What decides when and where the request runs, now that its body can be read."""
        head, said = self.request.head, self.peeked.priority
        if head.priority is not None or said is not None:
            ticket.priority = priority_in_queue(head.priority, said)
        ticket.wakes = head.method == b"POST"
        if service.view.config.prefix_affinity and self.peeked is not NOTHING:
            ticket.prefix = prompt_prefix(self.request.body())

    def hold_body(self) -> ApiError | None:
        """Counts what has come of the body; an ApiError where the gateway holds too much of all."""
        more = self.request.received - self.held
        self.held += more
        return self.traffic.hold(more)

    def replace_body(self, body: bytes) -> None:
        """Sends ``body`` instead of what the client sent; the queue goes on counting what came."""
        before = self.request.grown
        self.request.replace_body(body)
        more = self.request.grown - before
        self.held += more
        self.traffic.hold(more)

    def _drop_body(self) -> None:
        self.request.drop_body()
        self.traffic.hold(-self.held)
        self.held = 0

    def look_into_body(self) -> bool:
        """Reads the fields that matter here; False where the body is refused."""
        head = self.request.head
        if head.method != b"POST":
            return True
        try:
            if head.multipart:
                self.peeked = peek_form(
                    head.content_type, self.request.body(), routed=self.service is not None
                )
            else:
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
        config = service.view.config
        self.connection.deadline = now + config.execution_timeout_seconds
        if config.degradation is not None or self.peeked.model in service.aliases:
            rewriting.prepare(self, service, ticket)
        dispatch.use(self, service.pool(endpoint))

    def evicted(self, error: ApiError) -> None:
        """See Waiter."""
        self._drop_upstream()
        self.refuse(error)

    def admitted(self) -> None:
        """See Waiter: a client that waits for that may send its body."""
        if self.intake is not None:
            self.intake.admitted()

    # -- to a worker

    def send(self, pool: Pool, upstream: Upstream) -> None:
        """Sends the request on ``upstream``, a connection of ``pool``."""
        self.upstream = upstream
        self.endpoint = pool.authority
        request = self.request
        upstream.send(self, request_head(request, self.target, pool.authority, self.id), request.body())

    # -- Receiver

    def answer_began(self, upstream: Upstream, head: AnswerHead, raw: bytes, rest: bytes) -> None:
        """See Receiver: passes the head on, and joins the two transports."""
        self.answered = True
        self.status, self.sse = head.status, head.sse
        service = self.service
        if service is not None and (head.status >= 500 or service.ejections.records):
            dispatch.answered(self, service, head.status)
        self._drop_body()
        if self.traffic.draining or (head.until_close and not self.head_only):
            self.keep_alive = False  # its end is the end of the connection
        own = endings.own_fields(self)
        write = self.connection.send
        if self.comments is not None:
            write = self.comments.take_over(write, head, raw)
            if rest:
                write(rest)
        elif head.chunked and self.request.head.http10:
            write(answer_head_without_chunks(head, raw, own))
            write = Dechunker(raw, write).feed
            write(rest)
        else:
            write(answer_head(head, raw, own, close=not self.keep_alive) + rest)
        self.onward = write
        if rest:
            self._body_began()
            upstream.write = write
        else:
            upstream.write = self._first_piece
        if self.connection.write_paused:
            upstream.pause()

    def _first_piece(self, data: bytes) -> None:
        """A body that came after its head has begun."""
        self._body_began()
        if self.upstream is not None:
            self.upstream.write = self.onward
        self.onward(data)

    def _body_began(self) -> None:
        self.first_byte = self.traffic.time()
        if self.service is not None:
            endpoint = None if self.ticket is None else self.ticket.endpoint
            self.service.first_byte(endpoint, self.dispatched)

    def answer_ended(self) -> None:
        """See Receiver."""
        if self.upstream is not None:
            self.tail = self.upstream.tail()
            self.upstream = None
        if self.comments is not None and (error := self.comments.end()) is not None:
            self.cut_short(error)
            return
        self._end(_COMPLETED)
        self.connection.finished(self.request, keep_alive=self.keep_alive)

    def upstream_failed(self, reason: str, *, unused: bool) -> None:
        """See Receiver."""
        dispatch.failed(self, reason, unused=unused)

    def worker_drains(self) -> None:
        """See Receiver."""
        dispatch.drains(self)

    # -- Answering: ends before their time

    def body_failed(self, error: ApiError) -> None:
        """See Answering."""
        self._stop(error)

    def client_gone(self) -> None:
        """See Answering: the worker stops working for nobody."""
        if self.outcome is not None:
            return  # we closed the connection ourselves
        self._drop_upstream()
        self.status = CLIENT_GONE_STATUS
        self._end(_CLIENT_GONE)

    def deadline_passed(self) -> None:
        """See Answering: the body did not come, or the worker took too long."""
        self.connection.deadline = NEVER
        if self.reading:
            self.refuse(errors.body_timeout(self.traffic.settings.body_timeout))
        elif self.service is not None:
            config = self.service.config
            self._stop(errors.execution_timeout(config.key, config.execution_timeout_seconds))

    def sweep(self, now: float) -> None:
        """See Answering."""
        if self.upstream is not None:
            dispatch.overdue(self, now)
        if self.request.head.comments and not self.answered and self.outcome is None:
            comments.due(self, now)

    def abandon(self) -> None:
        """The gateway's time to drain is over."""
        self._stop(errors.gateway_draining())

    def _stop(self, error: ApiError) -> None:
        """Ends the request with ``error``, and the engine's work for it."""
        if self.answered:
            self.cut_short(error)
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
            self.tail = upstream.tail()
            upstream.close()

    def cut_short(self, error: ApiError) -> None:
        """Ends an answer that has begun: with an error event where the format has a place for one."""
        event = endings.last_event(self, error)
        self._drop_upstream()
        self.status, self.reason = error.status, error.reason or ""  # the books have what it came to
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
        self.ended = now = self.traffic.time()
        service, ticket = self.service, self.ticket
        if service is not None and ticket is not None:
            service.arbiter.done(ticket)
            service.ended(now)
        self.ticket = None  # it points back here; without cycles the garbage collector has nothing to do
        self._drop_body()
        self.traffic.books.ended(self)
