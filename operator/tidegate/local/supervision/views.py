"""Tells gateways of the services of this machine: everything once, then what changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tidegate.api.config import service_config
from tidegate.control.workers import worker_from_pod
from tidegate.domain.service import ServiceKey, ServiceView
from tidegate.local.files import Sink
from tidegate.local.supervision.entries import Entry
from tidegate.local.supervision.hold_ups import all_put_off_until, hold_up
from tidegate.local.supervision.pods import Pods

Told = dict[ServiceKey, ServiceView]


class Views:
    """``find``: the service of a name, None where there is none."""

    def __init__(
        self, pods: Pods, find: Callable[[ServiceKey], Entry | None], default_max_depth: int
    ) -> None:
        self._pods = pods
        self._find = find
        self._default_max_depth = default_max_depth
        self._sinks: list[tuple[Sink, Told]] = []

    @contextmanager
    def followed(self, sink: Sink, keys: list[ServiceKey]) -> Iterator[None]:
        """``sink`` is told of ``keys``, then that these were all, and of every change within this block."""
        follower = (sink, Told())
        self._sinks.append(follower)
        try:
            for key in keys:
                self._tell(follower, key)
            sink.synced()
            yield
        finally:
            self._sinks.remove(follower)

    def tell(self, key: ServiceKey) -> None:
        """A service or one of its workers may have changed."""
        for follower in list(self._sinks):
            self._tell(follower, key)

    def _tell(self, follower: tuple[Sink, Told], key: ServiceKey) -> None:
        sink, told = follower
        view = self._view(key)
        if view is None:
            if told.pop(key, None):
                sink.service_removed(key)
        elif told.get(key) != view:
            told[key] = view
            sink.service_changed(view)

    def _view(self, key: ServiceKey) -> ServiceView | None:
        """None where the service is gone for clients, however long its last worker takes."""
        entry = self._find(key)
        if entry is None or entry.deleted:
            return None
        pods = self._pods.of(key)
        workers = (worker_from_pod(pod) for pod in pods)
        config = service_config(entry.service, self._default_max_depth)
        found = tuple(worker for worker in workers if worker)
        return ServiceView(config, found, hold_up(entry.status), all_put_off_until(pods))
