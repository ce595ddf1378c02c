"""What the gateways themselves say of a service, asked through the API server as the user who asks.

That needs the right to ``get pods/proxy`` in the gateways' namespace, which nothing of tidegate has: people
have it, and only they come here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tidegate.domain.loose import Json, mapping, mappings, text, whole
from tidegate.domain.scaling import Load
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import KubeError, NotFoundError
from tidegate.resources.names import COMPONENT_LABEL, GATEWAY_ADMIN_PORT, NAME, NAME_LABEL, client_service

_SECONDS: Final = 5.0  # for each gateway: where a NetworkPolicy keeps the API server away nobody answers
_GATEWAYS: Final = f"{NAME_LABEL}={NAME},{COMPONENT_LABEL}=gateway"


class UnheardError(Exception):
    """Not every gateway has answered, so that their sum says nothing; the message is why."""


async def asked_load(client: KubeClient, namespace: str, name: str, now: Callable[[], float]) -> Load:
    """The requests that wait and run, and when the last one came or ended (Unix time). UnheardError."""
    try:
        home = await _home(client, namespace, name)
        pods, _ = await client.list_all(paths.pods(home), label_selector=_GATEWAYS)
        running = [
            pod["metadata"]["name"] for pod in pods if mapping(pod.get("status")).get("phase") == "Running"
        ]
        async with asyncio.timeout(_SECONDS):
            answers = await asyncio.gather(*(client.get(_status(home, pod)) for pod in running))
    except TimeoutError:
        raise UnheardError(
            f"no answer within {_SECONDS:g} s; a NetworkPolicy may keep the API server away"
        ) from None
    except KubeError as error:
        raise UnheardError(error.message) from None
    if not answers:
        raise UnheardError(f"none runs in namespace {home}")
    return _summed(answers, f"{namespace}/{name}", now())


async def _home(client: KubeClient, namespace: str, name: str) -> str:
    """The gateways' namespace: the clients' Service points to theirs, ``NAME.NAMESPACE.svc…``."""
    try:
        service = await client.get(paths.service(namespace, client_service(name)))
    except NotFoundError:
        raise UnheardError(f"the Service {client_service(name)}, which leads to them, is not there") from None
    host = text(mapping(service.get("spec")).get("externalName"))
    labels = host.split(".")
    if labels[2:3] != ["svc"]:
        raise UnheardError(
            f"the Service {client_service(name)} leads to {host or 'nowhere'}, not to a Service"
        )
    return labels[1]


def _status(namespace: str, pod: str) -> str:
    return f"{paths.pod(namespace, pod)}:{GATEWAY_ADMIN_PORT}/proxy/status"


def _summed(answers: Sequence[Json], key: str, now: float) -> Load:
    """One of them has the whole queue; each knows when it heard a request last itself."""
    told = [each for answer in answers for each in mappings(answer.get("services"))]
    entries = [each for each in told if each.get("service") == key]
    whole_queue = [each for each in entries if each.get("arbitrates", True)]
    idle = min(_numbers(entries, "idleSeconds"), default=None)
    return Load(
        waiting=sum(whole(each.get("waiting")) for each in whole_queue),
        in_flight=sum(whole(each.get("inFlight")) for each in whole_queue),
        last_activity=None if idle is None else now - idle,
        execution_seconds=max(_numbers(whole_queue, "executionSeconds"), default=None),
    )


def _numbers(entries: Sequence[Json], key: str) -> list[float]:
    return [float(value) for each in entries if isinstance(value := each.get(key), int | float)]
