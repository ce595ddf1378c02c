"""Full listings every few minutes: what a watch has lost, for whatever reason, is noticed here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.controller.world import World
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.cache import Kind
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import KubeError, NotFoundError
from tidegate.resources.names import SERVICE_LABEL

_logger = logging.getLogger(__name__)

# Children before their services: a service must never be seen without what it already has.
_LISTINGS: tuple[tuple[Kind, Callable[[str | None], str], str | None], ...] = (
    (Kind.POD, paths.pods, SERVICE_LABEL),
    (Kind.DEPLOYMENT, paths.deployments, SERVICE_LABEL),
    (Kind.SERVICE, paths.services, SERVICE_LABEL),
    (Kind.POD_DISRUPTION_BUDGET, paths.pod_disruption_budgets, SERVICE_LABEL),
    (Kind.INFERENCE_SERVICE, paths.inference_services, None),
)


@dataclass(frozen=True)
class ResyncSettings:
    """``every`` in seconds, each time multiplied by ``jitter(0.8, 1.2)``. One that was asked for is made
    when nobody has asked for ``quiet`` seconds, or ``patience`` after it was."""

    every: float
    jitter: Callable[[float, float], float]
    retry: float = 2.0
    quiet: float = 0.5
    patience: float = 20.0


class Resync:
    """Compares the cluster with the cache and has looked at what differs."""

    def __init__(
        self,
        client: KubeClient,
        world: World,
        enqueue: Callable[[ServiceKey], None],
        settings: ResyncSettings,
    ) -> None:
        self._client = client
        self._world = world
        self._enqueue = enqueue
        self._settings = settings
        self._asked = asyncio.Event()

    def soon(self) -> None:
        """Have everything listed in a moment: a watch may have lost what happened."""
        self._asked.set()

    async def first(self) -> None:
        """The first full listing: returns when it has been made, and has every service looked at."""
        while True:
            if await self._attempt():
                break
            await asyncio.sleep(self._settings.retry * self._settings.jitter(0.5, 1.0))
        for key in self._world.cache.service_keys():
            self._enqueue(key)

    async def run(self) -> None:
        """List again and again, for ever."""
        delay = self._settings.every
        while True:
            await self._asked_within(delay * self._settings.jitter(0.8, 1.2))
            await self._quiet()
            delay = self._settings.every if await self._attempt() else self._settings.retry

    async def once(self) -> set[ServiceKey]:
        """List everything once; the services for which it was news. KubeError."""
        await self._world.territory.look()
        news = await self._list_nodes()
        for kind, path, selector in _LISTINGS:
            collection = path(self._world.territory.namespace)
            items, version = await self._client.list_all(collection, label_selector=selector)
            news |= self._world.cache.replace_all(kind, items, version)
        return news

    async def _list_nodes(self) -> set[ServiceKey]:
        """Every service, where a CPU manager policy is another: the watch's event finds it known then."""
        if not self._world.sees_nodes:
            return set()
        nodes, _ = await self._client.list_all(paths.NODES)
        changed = self._world.nodes.replace_all(nodes)
        return set(self._world.cache.service_keys()) if changed else set()

    async def _asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        return True

    async def _quiet(self) -> None:
        """Returns when nobody asks any more; the listing that follows is for all that did."""
        until = asyncio.get_running_loop().time() + self._settings.patience
        while self._asked.is_set() and asyncio.get_running_loop().time() < until:
            self._asked.clear()
            await self._asked_within(self._settings.quiet)
        self._asked.clear()

    async def _attempt(self) -> bool:
        try:
            news = await self.once()
        except NotFoundError:
            _logger.error("the CustomResourceDefinition of InferenceService is missing; install crds/")
            return False
        except KubeError as error:
            _logger.warning("the cluster cannot be listed: %s", error)
            return False
        for key in news:
            self._enqueue(key)
        return True
