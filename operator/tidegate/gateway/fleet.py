"""All services that this gateway knows: what a substrate tells, and what a request finds."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.domain.service import ServiceKey, ServiceView
from tidegate.gateway.demand import DemandFeed
from tidegate.gateway.guard import guarded
from tidegate.gateway.mesh import Mesh
from tidegate.gateway.peer_source import PeerSource
from tidegate.gateway.prober import Prober
from tidegate.gateway.router import Router
from tidegate.gateway.service import Service, Shared
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.substrate import Substrate
from tidegate.gateway.waker import Waker


class Fleet:
    """The Sink of the substrate, and the table of the router."""

    def __init__(
        self,
        settings: GatewaySettings,
        substrate: Substrate,
        time: Callable[[], float],
        peers: PeerSource | None = None,
    ) -> None:
        self.router: Router[Service] = Router()
        self.services: dict[ServiceKey, Service] = {}
        self.demand = DemandFeed(self.services.values)
        self.synced_once = False
        self._told: set[ServiceKey] = set()  # since the present watch began
        self.largest_body = 0  # bytes, over all services
        self._prober = Prober(settings)
        self._waker = Waker(settings, substrate)
        self.mesh = None if peers is None else Mesh(settings, peers, time, self.demand.changed)
        changed = self.demand.changed
        self._shared = Shared(settings, time, self._prober, self._waker, changed, self.mesh)

    def watch_begins(self) -> None:
        """The substrate will tell everything anew; until it has, what is known holds."""
        self._told.clear()

    # -- Sink

    def service_changed(self, view: ServiceView) -> None:
        """See Sink."""
        self._told.add(view.config.key)
        service = self.services.get(view.config.key)
        if service is None:
            service = self.services[view.config.key] = Service(view, self._shared)
            self.router.add(service)
        elif service.view != view:
            self._update(service, view)
        self._measure()
        self.demand.changed(view.config.key)

    def _update(self, service: Service, view: ServiceView) -> None:
        old, new = service.config, view.config
        if (old.served_names, old.created) == (new.served_names, new.created):
            service.update(view)
            return
        self.router.remove(service)
        service.update(view)
        self.router.add(service)

    def service_removed(self, key: ServiceKey) -> None:
        """See Sink."""
        self._told.discard(key)
        service = self.services.pop(key, None)
        if service is not None:
            self.router.remove(service)
            service.remove()
            self._measure()
            self.demand.changed(key)

    def synced(self) -> None:
        """See Sink: what this watch has not told was deleted between it and the one before."""
        for key in self.services.keys() - self._told:
            self.service_removed(key)
        self.synced_once = True
        if self.mesh is not None:
            self.mesh.set_ready(ready=True)

    def _measure(self) -> None:
        self.largest_body = max((s.config.max_bytes for s in self.services.values()), default=0)

    # -- for the server

    def sweep(self, now: float) -> None:
        """Closes old connections to workers; wakes what must be woken and was not."""
        for service in self.services.values():
            guarded(service.sweep, now)

    async def close(self) -> None:
        """Ends what runs for the services."""
        if self.mesh is not None:
            await self.mesh.close()
        await self._waker.close()
        await self._prober.close()
