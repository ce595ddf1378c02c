"""A gateway with the real demand and the real waker; its requests are numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.unit.local.services import KEY
from tidegate.domain.service import ServiceKey, ServiceView
from tidegate.domain.worker_state import must_wake
from tidegate.gateway.demand import DemandFeed
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.waker import Waker
from tidegate.local.supervision.supervisor import Supervisor


@dataclass
class FakeService:
    """What a gateway has of one service: see Sleeper and Demanding. Requests run until ``finish``."""

    view: ServiceView
    gateway: FakeGateway
    waiting: int = 0
    running: dict[str, int] = field(default_factory=dict)  # by a worker's uid
    key: ServiceKey = KEY
    last_active: float | None = None
    refusal: str = ""
    wakes: int = 0

    def __post_init__(self) -> None:
        self.key = self.view.config.key

    @property
    def depth(self) -> int:
        return self.waiting + sum(self.running.values())

    def must_wake(self) -> bool:
        return must_wake(self.view, self.waiting)

    def wake_rest(self) -> float:
        return self.view.config.backoff_until - self.gateway.now()

    def waking(self) -> None:
        """The gateway begins to watch a cold start."""

    def wake_accepted(self, *, changed: bool) -> None:
        self.refusal = ""
        self.wakes += changed

    def wake_refused(self, reason: str) -> None:
        self.refusal = reason

    def demand(self, *, everything: bool = False) -> dict[str, object]:
        del everything  # it watches no cold starts
        idle = None if self.last_active is None else self.gateway.now() - self.last_active
        return {
            "service": str(self.key),
            "waiting": self.waiting,
            "inFlight": sum(self.running.values()),
            "idleSeconds": 0.0 if self.depth else idle,
            "executionSeconds": None,
        }

    def dispatch(self) -> None:
        """Everybody that waits goes to a worker that takes requests; who lost his waits again."""
        usable = [each.uid for each in self.view.workers if each.ready and not each.terminating]
        for uid in [uid for uid in self.running if uid not in {each.uid for each in self.view.workers}]:
            self.waiting += self.running.pop(uid)
        if usable and self.waiting and not self.view.config.suspended:
            uid = min(usable, key=lambda each: self.running.get(each, 0))
            self.running[uid] = self.running.get(uid, 0) + self.waiting
            self.waiting = 0
            self.touched()
        self.gateway.waker.poke(self)

    def touched(self) -> None:
        """Its numbers changed."""
        self.last_active = self.gateway.now()
        self.gateway.feed.changed(self.key)


class FakeGateway:
    """See gateway.substrate.Sink."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.services: dict[ServiceKey, FakeService] = {}
        self.feed = DemandFeed(self.services.values)
        self.waker: Waker
        self.is_synced = False
        self.events: list[str] = []

    def attach(self, supervisor: Supervisor) -> None:
        self.waker = Waker(GatewaySettings(), supervisor, jitter=lambda low, _: low)

    def service_changed(self, view: ServiceView) -> None:
        key = view.config.key
        if known := self.services.get(key):
            known.view = view
        else:
            self.services[key] = FakeService(view, self)
        if view.config.suspended:
            self.services[key].waiting = 0  # who waits gets 503
        self.services[key].dispatch()
        self.feed.changed(key)

    def service_removed(self, key: ServiceKey) -> None:
        self.services.pop(key, None)
        self.feed.changed(key)

    def synced(self) -> None:
        self.is_synced = True

    def busy(self, key: ServiceKey) -> bool:
        return key in self.services and self.services[key].depth > 0

    def lost(self, uid: str) -> None:
        """A worker has crashed: what it ran waits again."""
        for service in self.services.values():
            service.waiting += service.running.pop(uid, 0)
            service.touched()

    def in_worker(self, uid: str) -> int:
        return sum(each.running.get(uid, 0) for each in self.services.values())

    def arrive(self, key: ServiceKey = KEY) -> None:
        """A request comes; one for a service that there is not, or that is suspended, is refused."""
        service = self.services.get(key)
        if service is None or service.view.config.suspended:
            return
        service.waiting += 1
        service.touched()
        service.dispatch()

    def finish(self, key: ServiceKey = KEY) -> None:
        """Every request that runs ends."""
        if service := self.services.get(key):
            service.running.clear()
            service.touched()
