"""The gateway's world over a cluster: InferenceServices, worker pods, and waking a Deployment."""

from __future__ import annotations

import asyncio
from functools import partial

from tidegate.api.config import parse_service_config
from tidegate.domain.errors import WakeError
from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import (
    ForbiddenError,
    KubeError,
    NotFoundError,
    PatchTestError,
    ThrottledError,
    UnreachableError,
)
from tidegate.kube.reflector import Chance, Collection, Mirror, Pace, Reflector
from tidegate.kube.service_board import ServiceBoard, Sink
from tidegate.kube.territory import Everywhere, Territory
from tidegate.resources.names import SERVICE_LABEL, worker_deployment

FIELD_MANAGER = "tidegate-gateway"
PACE = Pace(retry_limit=2.0)
"""A wake gets through within a second of the API server's return; its worker must be seen as soon, and a
gateway has but a few watches to begin anew."""


class GatewaySubstrate:
    """What the gateway asks of a substrate, answered by the API server.

    While that is away, watching keeps the last snapshot; only waking fails. ``default_max_depth`` is the
    installation's queue limit for services without one, ``territory`` the namespaces that it serves.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        default_max_depth: int = DEFAULT_MAX_DEPTH,
        territory: Territory | None = None,
        pace: Pace | None = None,
        chance: Chance | None = None,
    ) -> None:
        self._client = client
        self._parse = partial(parse_service_config, default_max_depth=default_max_depth)
        self._territory = territory or Everywhere()
        self._pace = pace or PACE
        self._chance = chance

    async def watch(self, sink: Sink) -> None:
        """Tell ``sink`` everything that is, then every change, until cancelled."""
        board = ServiceBoard(sink, self._parse, self._territory.owns)
        namespace = self._territory.namespace
        services = Collection(paths.inference_services(namespace))
        pods = Collection(paths.pods(namespace), SERVICE_LABEL)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._territory.run(board.territory_changed))
            group.create_task(self._reflector(services, board.services).run())
            group.create_task(self._reflector(pods, board.pods).run())

    def _reflector(self, collection: Collection, mirror: Mirror) -> Reflector:
        return Reflector(self._client, collection, mirror, pace=self._pace, chance=self._chance)

    async def wake(self, key: ServiceKey) -> bool:
        """Scale the service's Deployment from 0 to 1; one that has more already is left alone (False).

        A merge patch would also take 3 down to 1 wherever the admission policy is not installed, so this
        is a JSON patch whose ``test`` makes the server itself refuse. It needs the right to patch and
        nothing else. Raises WakeError.
        """
        try:
            return await self._raise_from(key, _ABSENT) or await self._raise_from(key, 0)
        except KubeError as error:
            raise WakeError(_sentence(key, error), _retry_after(error)) from error

    async def _raise_from(self, key: ServiceKey, replicas: int | None) -> bool:
        """Whether the scale was ``replicas`` and is 1 now."""
        path = paths.deployment_scale(key.namespace, worker_deployment(key.name))
        try:
            await self._client.json_patch(path, _patch(replicas), field_manager=FIELD_MANAGER)
        except PatchTestError:
            return False
        return True


_ABSENT = None  # how API servers write a Scale of 0 (the field is left out); a later one may write 0


def _patch(replicas: int | None) -> list[Json]:
    return [
        {"op": "test", "path": "/spec/replicas", "value": replicas},
        {"op": "add", "path": "/spec/replicas", "value": 1},
    ]


def _retry_after(error: KubeError) -> float:
    return (error.retry_after_seconds or 0.0) if isinstance(error, ThrottledError) else 0.0


def _sentence(key: ServiceKey, error: KubeError) -> str:
    deployment = worker_deployment(key.name)
    if isinstance(error, NotFoundError):
        return f"{key} has no Deployment {deployment} to wake yet; the operator makes it, is it running?"
    if isinstance(error, ForbiddenError):
        return f"the gateway may not scale {deployment} in {key.namespace}: {error.message}"
    if isinstance(error, UnreachableError):
        return f"{key} cannot be woken while the API server is away: {error.message}"
    return f"{key} cannot be woken: {error}"
