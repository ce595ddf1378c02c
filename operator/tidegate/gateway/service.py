"""One service inside the gateway: its queue, its endpoints, its cold starts and its numbers."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import time as wall_clock

from tidegate.domain import api_errors as errors
from tidegate.domain.arbiter import Arbiter
from tidegate.domain.ejection import Ejections
from tidegate.domain.flow import Flow
from tidegate.domain.flow_ticket import Endpoint, EndpointKey
from tidegate.domain.mesh_words import Finding
from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.seat import Seat
from tidegate.domain.service import ServiceConfig, ServiceKey, ServiceView
from tidegate.domain.timestamps import to_timestamp
from tidegate.domain.worker_state import WorkerState, any_coming, candidates, must_wake, worker_state
from tidegate.gateway import families
from tidegate.gateway.cold_starts import ColdStarts
from tidegate.gateway.families import Family
from tidegate.gateway.local_arbiter import LocalArbiter
from tidegate.gateway.mesh import Mesh
from tidegate.gateway.metrics import Meters
from tidegate.gateway.pool import Pool
from tidegate.gateway.prober import Prober
from tidegate.gateway.rewriting import TierWatch, aliases
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.shared_arbiter import SharedArbiter
from tidegate.gateway.waker import Waker

_log = logging.getLogger("tidegate.gateway")

# Seconds between two starts of an engine, as a kubelet has it, also where a clock is set back.
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What the services of one gateway have in common."""

    settings: GatewaySettings
    time: Callable[[], float]  # seconds, only ever forward
    prober: Prober
    waker: Waker
    changed: Callable[[ServiceKey], None]  # its demand changed
    mesh: Mesh | None = None  # where several gateways share the queues
    unix_time: Callable[[], float] = wall_clock


class Service:
    """A service that this gateway knows. Lives from its first view until it is removed."""

    def __init__(self, view: ServiceView, shared: Shared) -> None:
        self.key = view.config.key
        self.text = str(self.key)  # as the access log has it
        self.view = view
        self.arrivals = 0
        self.last_active: float | None = None
        self.hurry = asyncio.Event()
        self.tiers = TierWatch(self.key)
        self.aliases: frozenset[str] = frozenset()  # names that clients may use and the engine does not know
        self.seat: Seat | None = None
        self._local = self._own_queue(view.config, shared)
        self.arbiter: Arbiter = self._local  # whom requests ask
        self.meters = Meters(self.key, self._gauges, lambda: self.state)
        self.starts = ColdStarts(shared.time, shared.unix_time, self.meters)
        self._first_byte_due = False  # after a time without a worker: the arbiter's record waits for it
        self._shared = shared
        self._time = shared.time
        self._reported = True  # the demand has not changed since it was last told
        self._pools: dict[EndpointKey, Pool] = {}
        self._answered: set[EndpointKey] = set()  # a probe of ours, or a request, was answered
        self.ejections = Ejections()  # failed us; only a probe brings them back
        self._draining: set[EndpointKey] = set()  # said so: only a process that takes their place is good
        self.update(view)

    def _own_queue(self, config: ServiceConfig, shared: Shared) -> LocalArbiter:
        if shared.mesh is None:
            return LocalArbiter(config, shared.time, self._someone_waits)
        queue = SharedArbiter(config, shared.time, self._someone_waits, self._found_elsewhere)
        remote = RemoteArbiter(config, queue.flow.clock, shared.time, self._tried_elsewhere)
        self.seat = shared.mesh.take_seat(queue, remote, self._ask_there)
        return queue

    def _ask_there(self, arbiter: Arbiter) -> None:
        self.arbiter = arbiter

    @property
    def arbitrates(self) -> bool:
        """Whether this gateway takes itself for the arbiter: it alone knows the whole queue then."""
        return self.seat is None or self.seat.here

    @property
    def config(self) -> ServiceConfig:
        """The spec that holds now."""
        return self.view.config

    @property
    def flow(self) -> Flow:
        """The queue's state, to be read only."""
        return self._local.flow

    def _gauges(self) -> dict[Family, int]:
        """The sum over all gateways is the truth: one has the queue, and the others have nothing."""
        flow = self.flow
        if not self.arbitrates:
            return {families.DEPTH: 0, families.IN_FLIGHT: 0, families.PENDING: 0}
        pending = flow.reading + flow.waiting
        return {families.DEPTH: flow.depth, families.IN_FLIGHT: flow.in_flight, families.PENDING: pending}

    # -- the substrate's view

    def update(self, view: ServiceView) -> None:
        """Takes over a new view of the service and its workers."""
        old, self.view = candidates(self.view), view
        new = candidates(view)
        for key, worker in new.items():
            if key in old and old[key].ready and not worker.ready:
                self._answered.discard(key)  # it was well and no longer is: our probe decides
        gone = [key for key in self._pools if key not in new]
        for key in gone:
            self._pools.pop(key).retire()
        self._answered &= new.keys()
        self.ejections.keep(new.keys())
        self._draining &= new.keys()
        if self.seat is not None:
            self.seat.remote.config = view.config
            self.seat.remote.forget_endpoints()
        self.aliases = aliases(view.config)
        self._local.configure(view.config)
        self._say_what_holds_up(view)
        self.starts.saw(view.workers)
        self._choose_endpoints()
        self._shared.waker.poke(self)  # its last worker may be gone while requests wait

    def remove(self) -> None:
        """The service was deleted: what waits is refused, now and once its body is read or its worker has
        failed; what runs ends by itself."""
        self._local.configure(replace(self.config, suspended=True))
        if self.seat is not None and self._shared.mesh is not None:
            self.seat.remote.close(errors.removed(self.key))
            self._shared.mesh.give_up_seat(self.seat)
        self._local.set_endpoints(())
        self._local.close()
        self._shared.prober.want(self, set())
        for pool in self._pools.values():
            pool.retire()

    def _say_what_holds_up(self, view: ServiceView) -> None:
        flow, rest = self.flow, min(view.next_start - self._shared.unix_time(), LONGEST_PAUSE)
        flow.hold_up = view.hold_up
        flow.next_start = self._time() + rest if rest > 0 else 0.0

    def _choose_endpoints(self) -> None:
        usable, unproven = [], set()
        for key, worker in candidates(self.view).items():
            distrusted = key in self._draining or self.ejections.is_out(key)
            if not distrusted and (key in self._answered or worker.ready):
                usable.append(key)
            else:
                unproven.add(key)
        for key in usable:
            if key not in self._pools:
                self._pools[key] = Pool(key, self._shared.settings, self._time)
        if usable and self.starts.under_way is not None:
            self.starts.ready(candidates(self.view)[usable[0]])
            self.flow.last_cold_start = self.starts.ready_seconds
        self._first_byte_due = self._first_byte_due or not usable
        self._local.set_endpoints(usable, self.ejections.on_trial())
        self._shared.prober.want(self, unproven)

    # -- what the prober and the requests learn

    def readiness_path(self) -> str:
        """See Probed."""
        return self.config.readiness_path

    def anyone_waits(self) -> bool:
        """See Probed."""
        return self.flow.waiting > 0

    def probed(self, key: EndpointKey, *, answers: bool) -> bool:
        """See Probed: a worker that answers takes requests from now on. One that drains answers too, until
        it is gone; what answers there afterwards is another process."""
        if not answers:
            self._draining.discard(key)
        elif key in self._draining:
            return False
        if not self.ejections.probed(key, answers=answers, now=self._time()):
            return False
        if key in candidates(self.view):
            self._answered.add(key)
            self._choose_endpoints()
        return True

    def endpoint_failed(self, key: EndpointKey, dispatched: float, reason: str) -> None:
        """A request met a worker that does not answer: nothing new goes there before a probe succeeds, and
        where that was the case before, not before a while has passed either."""
        self._tell_arbiter(key, Finding.FAILED, self._time() - dispatched)
        if key not in candidates(self.view):
            return  # where the arbiter still has it, it would send the request there again and again
        seconds = self.ejections.failed(key, dispatched, self._time(), random.random())  # noqa: S311
        if seconds is None:
            return
        text = "%s: endpoint %s:%d is out until a probe answers, and for %.1f s at least: %s"
        _log.warning(text, self.key, key.host, key.port, seconds, reason)
        self._answered.discard(key)
        self._choose_endpoints()

    def _tell_arbiter(self, key: EndpointKey, finding: Finding, age: float = 0.0) -> None:
        if self.seat is not None and not self.seat.here:
            self.seat.remote.found(key, finding, age)

    def _found_elsewhere(self, key: EndpointKey, finding: Finding, age: float) -> None:
        """What a request that another gateway holds met; ``age``: seconds since it was dispatched."""
        dispatched = self._time() - age
        if finding is Finding.DRAINS:
            self.endpoint_drains(key)
        elif finding is Finding.FAILED:
            self.endpoint_failed(key, dispatched, "another gateway says so")
        else:
            self._started()
            self.endpoint_answered(key, 200, dispatched)

    def _tried_elsewhere(self, key: EndpointKey) -> None:
        """The arbiter has this endpoint on trial, and waits for the answer that a request of ours gets."""
        if key in candidates(self.view):
            self.ejections.begin_trial(key)

    def endpoint_answered(self, key: EndpointKey, status: int, dispatched: float) -> None:
        """An answer has begun: to be told of errors, and of every answer while ``ejections`` has records."""
        trial = self.ejections.on_trial()
        alone = len(self.flow.endpoints) < 2
        if self.ejections.answered(key, status, dispatched, alone=alone):
            self.endpoint_failed(key, dispatched, f"it answers {status} again and again")
        elif key in trial and key not in self.ejections.on_trial():
            _log.info("%s: endpoint %s:%d answers again", self.key, key.host, key.port)
            self._tell_arbiter(key, Finding.ANSWERED, self._time() - dispatched)
            self._choose_endpoints()

    @property
    def drains(self) -> bool:
        """True while a worker is known to drain by its own word."""
        return bool(self._draining)

    def endpoint_drains(self, key: EndpointKey) -> None:
        """A request met a worker that is about to stop, before the substrate told of it."""
        self._tell_arbiter(key, Finding.DRAINS)
        if key in candidates(self.view):
            self._answered.discard(key)
            self._draining.add(key)
            self._choose_endpoints()

    def leaves(self, key: EndpointKey) -> bool:
        """Whether the substrate says that the worker's pod ends, or has none such any more. Not where its
        engine begins anew: nobody has asked for that."""
        return all(worker.uid != key.uid or worker.terminating for worker in self.view.workers)

    def pool(self, endpoint: Endpoint) -> Pool:
        """The connections to an endpoint; those of one that is gone are closed after their answer."""
        pool = endpoint.handle
        if not isinstance(pool, Pool):
            pool = self._pools.get(endpoint.key)
            if pool is None:
                pool = Pool(endpoint.key, self._shared.settings, self._time)
                if self.arbitrates or endpoint.key not in candidates(self.view):
                    pool.retire()
                else:  # the arbiter has seen that it answers, before we did
                    self._pools[endpoint.key] = pool
            endpoint.handle = pool
        return pool

    # -- waking

    def _someone_waits(self) -> None:
        self.hurry.set()
        self._shared.waker.poke(self)

    def must_wake(self) -> bool:
        """See Sleeper."""
        return must_wake(self.view, self.flow.waiting) and self.flow.waker_waits()

    def wake_rest(self) -> float:
        """See Sleeper; what waits in vain for so long is told when to come again."""
        until = self.config.backoff_until
        rest = until - self._shared.unix_time()
        if rest > 0:
            self.flow.wake_not_before = self._time() + rest
            text = "its kubelet rejected the last workers; none is started before"
            self.wake_refused(f"{text} {to_timestamp(until)} (status.scaling.backoffUntil)")
        return rest

    def waking(self) -> None:
        """See Sleeper."""
        self.starts.begin()
        self._demand_changed()

    def wake_accepted(self, *, changed: bool) -> None:
        """See Sleeper."""
        self.flow.wake_refusal = None
        if changed:
            self.meters.woken()

    def wake_refused(self, reason: str) -> None:
        """See Sleeper."""
        if self.flow.wake_refusal != reason:
            _log.warning("%s cannot be woken: %s", self.key, reason)
        self.flow.wake_refusal = reason

    # -- accounting

    def arrived(self, now: float) -> None:
        """A request for this service has come."""
        self.arrivals += 1
        self.last_active = now
        self._demand_changed()

    def ended(self, now: float) -> None:
        """A request of this service has ended."""
        self.last_active = now
        self._demand_changed()

    def first_byte(self, endpoint: Endpoint | None, dispatched: float) -> None:
        """The first byte of an answer was passed on; the first after a cold start completes its record."""
        if self.starts.under_way is not None:
            self._started()
        if self._first_byte_due and endpoint is not None:
            self._first_byte_due = False
            self._tell_arbiter(endpoint.key, Finding.ANSWERED, self._time() - dispatched)

    def _started(self) -> None:
        if self.starts.first_byte():
            self._demand_changed()

    def sweep(self, now: float) -> None:
        """Once in a while: closes old connections, and looks again whether someone must be woken."""
        for pool in self._pools.values():
            pool.sweep(now)
        self.tiers.sweep(self.config.degradation, self.flow.depth)
        coming = self.starts.under_way is not None and any_coming(self.view)
        if self.starts.sweep(deserted=not self.flow.depth, coming=coming):
            self._demand_changed()
        if self.must_wake():
            self._shared.waker.poke(self)

    @property
    def state(self) -> WorkerState:
        """One word for the workers."""
        return worker_state(self.view, len(self.flow.endpoints))

    def _demand_changed(self) -> None:
        """Once until somebody asks: thousands of changes between two lines are one."""
        if self._reported:
            self._reported = False
            self._shared.changed(self.key)

    def idle_seconds(self) -> float | None:
        """Since the later of the last arrival and end; 0 while anything waits or runs; None: never."""
        if self.last_active is None:
            return None
        busy = self.flow.depth or (self.seat is not None and self.seat.remote.tickets)
        return 0.0 if busy else round(self._time() - self.last_active, 3)

    def demand(self, *, everything: bool = False) -> dict[str, object]:
        """See Demanding; a change from now on is told again. The arbiter tells what other gateways hold."""
        flow, arbitrates = self.flow, self.arbitrates
        self._reported = True
        return {
            "service": str(self.key),
            "waiting": flow.reading + flow.waiting if arbitrates else 0,
            "inFlight": flow.in_flight if arbitrates else 0,
            "leaving": flow.leaving if arbitrates else 0,
            "idleSeconds": self.idle_seconds(),
            "executionSeconds": round(flow.execution.seconds, 6) or None if arbitrates else None,
            "arrivals": self.arrivals,
            **self.starts.lines(everything=everything),
        }
