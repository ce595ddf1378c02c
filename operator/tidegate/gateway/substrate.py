"""What the gateway asks of the world behind it: which services there are, and how to wake one.

kube/ implements it over a cluster's API server, local/ over a file. Nothing here says which.
"""

from __future__ import annotations

from typing import Protocol

from tidegate.domain.service import ServiceKey, ServiceView


class Sink(Protocol):
    """What the gateway offers to a substrate. Called on the event loop; never blocks, never raises."""

    def service_changed(self, view: ServiceView) -> None:
        """A service is new, or its spec or one of its workers changed: the whole new state."""
        ...

    def service_removed(self, key: ServiceKey) -> None:
        """A service is gone; what waits for it is refused, what runs is finished."""
        ...

    def synced(self) -> None:
        """The first full listing of this watch has been delivered: a service that it has not told is gone."""
        ...


class Substrate(Protocol):
    """Where services and their workers are found."""

    async def watch(self, sink: Sink) -> None:
        """Tells ``sink`` everything that is, then that it is synced, then every change, until cancelled.
        Called again after a failure, it begins anew."""
        ...

    async def wake(self, key: ServiceKey) -> bool:
        """Asks for the service's first worker. Idempotent; returns when the request is accepted, not
        when the worker is there: True where it changed something, False where it had been asked for
        before. Raises domain.errors.WakeError where it is refused."""
        ...
