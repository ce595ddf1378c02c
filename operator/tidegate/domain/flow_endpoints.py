"""The endpoints of one service's queue: those that take work, and those that still finish some."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tidegate.domain.balancing import by_prefix, least_in_flight, salt
from tidegate.domain.flow_ticket import Endpoint, EndpointKey
from tidegate.domain.service import ServiceConfig


class Endpoints:
    """Knows each endpoint's limit: ``max_concurrency``, or 1 where it is on trial."""

    __slots__ = ("_affinity", "_known", "_leaving", "_max_concurrency", "_trials", "_turn", "open")

    def __init__(self, config: ServiceConfig) -> None:
        self.open: tuple[Endpoint, ...] = ()  # those that take work
        self._known: dict[EndpointKey, Endpoint] = {}
        self._leaving: dict[EndpointKey, Endpoint] = {}  # take no more work, and still have some
        self._trials: frozenset[EndpointKey] = frozenset()
        self._turn = 0  # where the search for a slot starts, so that ties go round
        self.configure(config)

    def configure(self, config: ServiceConfig) -> None:
        """A new spec."""
        self._affinity = config.prefix_affinity
        self._max_concurrency = config.max_concurrency
        self._set_limits()

    def replace(self, keys: Iterable[EndpointKey], on_trial: Collection[EndpointKey]) -> None:
        """Exactly ``keys`` take work from now on, those of them in ``on_trial`` one request at a time."""
        wanted = dict.fromkeys(keys)
        for key in [k for k in self._known if k not in wanted]:
            endpoint = self._known.pop(key)
            endpoint.limit = 0
            if endpoint.in_flight:
                self._leaving[key] = endpoint
        for key in wanted:
            if key not in self._known:
                self._known[key] = self._return(key)
        self.open = tuple(self._known.values())
        self._trials = frozenset(on_trial)
        self._set_limits()

    def _return(self, key: EndpointKey) -> Endpoint:
        endpoint = self._leaving.pop(key, None) or Endpoint(key)
        endpoint.salt = salt(key.uid)
        endpoint.handle = None  # what the edge kept with it is of the time before
        return endpoint

    def _set_limits(self) -> None:
        for endpoint in self.open:
            endpoint.trial = endpoint.key in self._trials
            endpoint.limit = 1 if endpoint.trial else self._max_concurrency

    def free(self, prefix: int) -> Endpoint | None:
        """One with a free slot: by ``prefix`` where the service asks for it, else the fewest in flight."""
        endpoints = self.open
        if len(endpoints) == 1:
            only = endpoints[0]
            return only if only.in_flight < only.limit else None
        if prefix and self._affinity:
            return by_prefix(endpoints, prefix)
        self._turn += 1
        return least_in_flight(endpoints, self._turn)

    def of(self, key: EndpointKey) -> Endpoint:
        """The endpoint with this key, for a request that runs there already; one that is not known takes no
        work, and goes with its last request."""
        found = self._known.get(key) or self._leaving.get(key)
        if found is None:
            found = self._leaving[key] = Endpoint(key)
            found.limit = 0
        return found

    def left(self, endpoint: Endpoint) -> None:
        """A request left an endpoint that takes no more work: it goes with its last one."""
        if not endpoint.in_flight:
            self._leaving.pop(endpoint.key, None)
