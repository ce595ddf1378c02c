"""One look at a service and what belongs to it, for a person: what may not be read is said, not fatal."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tidegate.domain.scaling import Load
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import ForbiddenError, KubeError, NotFoundError, UnauthorizedError, UnreachableError
from tidegate.kube.gateway_numbers import UnheardError, asked_load
from tidegate.resources.labels import selector_text
from tidegate.resources.names import GROUP, KIND, worker_deployment
from tidegate.views.seen import Seen

_Found = TypeVar("_Found")

_NAME: Final = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")  # of a Kubernetes object
_NEAR: Final = 3  # names that are offered in place of one that is not there
_WITHOUT: Final = {
    "deployments": "so the number of workers is what the status says",
    "pods": "so what each worker does, and since when, cannot be told",
    "gateways": "so the numbers of requests are those of the status",
    "horizontalpodautoscalers": "so whether one of them scales the service cannot be told",
}
"""What is missing in an explanation without them."""


class LookError(ValueError):
    """There is nothing to look at; the message is a sentence for whoever asked."""


async def look(
    client: KubeClient, namespace: str, name: str, now: Callable[[], float], *, ask_gateways: bool = False
) -> Seen:
    """The service, its Deployment, its pods, and the autoscalers that have it as their target.

    ``now`` returns Unix time and is asked when all has been read. LookError: the service cannot be read, and
    why; KubeError where the cluster does not answer.
    """
    _require_names(namespace, name)
    service = await _service(client, namespace, name)
    reader = _Reader(client, namespace)
    deployment, pods, autoscalers = await asyncio.gather(
        reader.one("deployments", paths.deployment(namespace, worker_deployment(name))),
        reader.all("pods", paths.pods(namespace), selector_text(name)),
        reader.all("horizontalpodautoscalers", paths.horizontal_pod_autoscalers(namespace)),
    )
    load = await reader.gateways(name, now) if ask_gateways else None
    return Seen(
        service=service,
        now=now(),
        load=load,
        deployment=deployment,
        pods=pods,
        autoscalers=tuple(each for each in autoscalers or () if _scales(each, name)),
        unread=reader.unread(external=_is_external(service)),
    )


def _require_names(namespace: str, name: str) -> None:
    """A name stands alone here; kubectl's ``infsvc/qwen`` would be another path of the API."""
    for what, text in (("an InferenceService", name), ("a namespace", namespace)):
        if not _NAME.fullmatch(text):
            alone = text.rpartition("/")[2]
            hint = f"; write {alone}" if _NAME.fullmatch(alone) else ""
            raise LookError(f"{text!r} is not the name of {what}{hint}")


async def _service(client: KubeClient, namespace: str, name: str) -> Json:
    try:
        return await client.get(paths.inference_service(namespace, name))
    except NotFoundError:
        raise LookError(await _who_is_there(client, namespace, name)) from None
    except ForbiddenError as error:
        raise LookError(
            f"you may not read the InferenceServices of namespace {namespace}: {_grounds(error)}. The role "
            "view gives this right, unless the installation leaves the default roles alone"
        ) from None
    except UnauthorizedError as error:
        raise LookError(
            f"the cluster does not accept these credentials: {error.message}; see kubectl config view"
        ) from None
    except UnreachableError as error:
        raise LookError(
            f"the cluster does not answer: {error.message}; see whether kubectl cluster-info does"
        ) from None


def _grounds(error: KubeError) -> str:
    """``User "x" cannot get resource …``: what follows the object's own name."""
    return error.message.partition(" is forbidden: ")[2] or error.message


async def _who_is_there(client: KubeClient, namespace: str, name: str) -> str:
    """Why a name was not found: it is elsewhere, it is written otherwise, or there is none at all."""
    missing = f"there is no InferenceService {name} in namespace {namespace}"
    try:
        here = await _names(client, namespace)
    except NotFoundError:
        return f"this cluster has no InferenceServices of {GROUP}: tidegate is not installed in it"
    except KubeError:
        return missing
    elsewhere = await _namespaces_with(client, name)
    if elsewhere:
        return f"{missing}; there is one in {' and in '.join(elsewhere)}: name it with -n"
    near = difflib.get_close_matches(name, here, _NEAR)
    if near:
        return f"{missing}; did you mean {' or '.join(near)}?"
    there = ", ".join(sorted(here)[:_NEAR]) + (" and others" if len(here) > _NEAR else "")
    return f"{missing}; there {'are' if len(here) > 1 else 'is'} {there or 'none'}"


async def _names(client: KubeClient, namespace: str) -> list[str]:
    items, _ = await client.list_all(paths.inference_services(namespace))
    return [item["metadata"]["name"] for item in items]


async def _namespaces_with(client: KubeClient, name: str) -> list[str]:
    """Other namespaces that have a service of this name, as far as this user may list them."""
    try:
        items, _ = await client.list_all(paths.inference_services(), field_selector=f"metadata.name={name}")
    except KubeError:
        return []
    return sorted(item["metadata"]["namespace"] for item in items)[:_NEAR]


class _Reader:
    """Reads what may be read, and notes what may not."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._refused: dict[str, str] = {}

    async def one(self, kind: str, path: str) -> Json | None:
        """The object; None where it is not there, or may not be read."""
        return await self._read(kind, lambda: self._client.get(path))

    async def all(self, kind: str, path: str, selector: str | None = None) -> tuple[Json, ...] | None:
        """The objects; None where they may not be listed."""
        found = await self._read(kind, lambda: self._client.list_all(path, label_selector=selector))
        return None if found is None else tuple(found[0])

    async def gateways(self, name: str, now: Callable[[], float]) -> Load | None:
        """What the gateways say of a service; None where they do not."""
        try:
            return await asked_load(self._client, self._namespace, name, now)
        except UnheardError as error:
            self._refused["gateways"] = str(error)
            return None

    async def _read(self, kind: str, call: Callable[[], Awaitable[_Found]]) -> _Found | None:
        try:
            return await call()
        except NotFoundError:
            return None
        except KubeError as error:
            self._refused[kind] = _grounds(error)
            return None

    def unread(self, *, external: bool) -> tuple[str, ...]:
        """A sentence for each kind; autoscalers matter where others set the number."""
        kinds = [kind for kind in _WITHOUT if kind in self._refused]
        told = [kind for kind in kinds if external or kind != "horizontalpodautoscalers"]
        return tuple(f"{kind}: {self._refused[kind]}, {_WITHOUT[kind]}." for kind in told)


def _is_external(service: Json) -> bool:
    scaling = (service.get("spec") or {}).get("scaling") or {}
    return scaling.get("mode") == "External"


def _scales(autoscaler: Json, name: str) -> bool:
    target = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
    ours = str(target.get("apiVersion", "")).partition("/")[0] == GROUP
    return ours and (target.get("kind"), target.get("name")) == (KIND, name)
