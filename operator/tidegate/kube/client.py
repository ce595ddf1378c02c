"""A thin client over raw dicts: no models, so that a thousand pods cost what their JSON costs.

It adds to the Kubernetes client's connection what a controller needs: server-side apply, paged lists,
watches that end in a named error instead of silence, and a time budget on every call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import msgspec
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException

from tidegate.kube.connection import Transport, load_configuration
from tidegate.kube.errors import GoneError, KubeError, UnreachableError, error_from_status

Json = dict[str, Any]

_PAGE_SIZE = 100  # of 10 KB pods: 1 MB, 5 ms to decode; streams on the same loop must not feel it
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML
_MERGE_PATCH = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, and the object."""

    type: str
    object: Json

    @property
    def resource_version(self) -> str:
        """Where a new watch goes on after this event."""
        return str(self.object["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Budgets:
    """How long the API server may take, in seconds.

    ``silence`` is for a watch: the server sends a bookmark every minute, so that more than 90 s
    without a line mean a dead connection. ``watch`` is how long one lasts before the server ends it.
    """

    call: float = 10.0
    watch: int = 300
    silence: float = 90.0


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Json | list[Json] | None = None
    content_type: str = _JSON
    elsewhere: bool = False  # the path is a whole URL of another server
    verify: bool = True

    @property
    def data(self) -> bytes | None:
        return None if self.body is None else msgspec.json.encode(self.body)


Fence = Callable[[], AbstractContextManager[None]]


class KubeClient:
    """Every method raises KubeError (see errors.py) and keeps to its budget.

    ``fence`` is entered right before each write is sent and left when it was answered, or was given up;
    what it raises keeps the write from being sent.
    """

    def __init__(
        self, configuration: Configuration, budgets: Budgets | None = None, fence: Fence = nullcontext
    ) -> None:
        self._configuration = configuration
        self._transport = Transport(configuration)
        self._budgets = budgets or Budgets()
        self._fence = fence

    @classmethod
    async def connect(cls, budgets: Budgets | None = None, fence: Fence = nullcontext) -> Self:
        """A client for the pod's cluster or the current kubeconfig context; KubeConfigError without one."""
        return cls(await load_configuration(), budgets, fence)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; running watches end."""
        await self._transport.close()

    async def get(self, path: str) -> Json:
        """The object at a path."""
        return await self._call(_Request("GET", path))

    async def get_elsewhere(self, url: str, *, verify: bool = True) -> Json:
        """The object at a URL of another server of the cluster (a kubelet), asked with our credentials.

        It is verified against the cluster's CA before they are sent; without ``verify`` they go to
        whoever answers there.
        """
        return await self._call(_Request("GET", url, verify=verify, elsewhere=True))

    async def list_all(
        self, path: str, *, label_selector: str | None = None, field_selector: str | None = None
    ) -> tuple[list[Json], str]:
        """All items of a collection, read in pages, and the resource version to watch from.

        A listing that expires between two pages is read again in one piece.
        """
        query = _without_none({"labelSelector": label_selector, "fieldSelector": field_selector})
        try:
            return await self._list_pages(path, query)
        except GoneError:
            page = await self._call(_Request("GET", path, query))
            return page.get("items") or [], page["metadata"]["resourceVersion"]

    async def create(self, path: str, body: Json, *, field_manager: str) -> Json:
        """POST to a collection; the created object. AlreadyExistsError where the name is taken."""
        return await self._call(_Request("POST", path, {"fieldManager": field_manager}, body))

    async def apply(self, path: str, body: Json, *, field_manager: str, force: bool = True) -> Json:
        """Server-side apply of the fields in ``body``; the whole object after it."""
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return await self._call(_Request("PATCH", path, query, body, _APPLY))

    async def merge_patch(self, path: str, body: Json, *, field_manager: str) -> Json:
        """JSON merge patch; a ``metadata.resourceVersion`` in it makes a stale one a ConflictError."""
        return await self._call(_Request("PATCH", path, {"fieldManager": field_manager}, body, _MERGE_PATCH))

    async def json_patch(self, path: str, operations: list[Json], *, field_manager: str) -> Json:
        """JSON patch (RFC 6902); a ``test`` that fails is a PatchTestError and changes nothing."""
        return await self._call(
            _Request("PATCH", path, {"fieldManager": field_manager}, operations, _JSON_PATCH)
        )

    async def replace(self, path: str, body: Json, *, field_manager: str) -> Json:
        """PUT; ConflictError where the body's resourceVersion is not the latest."""
        return await self._call(_Request("PUT", path, {"fieldManager": field_manager}, body))

    async def delete(self, path: str, *, uid: str | None = None) -> Json | None:
        """Delete in the background; with ``uid`` only that very object, else ConflictError.

        None where the object is gone, else what is left of it until its finalizers are.
        """
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        answer = await self._call(_Request("DELETE", path, None, options))
        return None if answer.get("kind") == "Status" else answer

    async def watch(
        self,
        path: str,
        resource_version: str,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events after ``resource_version``, bookmarks included, until the server ends it in good order.

        GoneError: list anew. UnreachableError: cut, or silent for too long. Leave it through
        ``contextlib.aclosing``, so that the connection is closed at once.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(self._budgets.watch),
        }
        query |= _without_none({"labelSelector": label_selector, "fieldSelector": field_selector})
        budget = aiohttp.ClientTimeout(sock_connect=self._budgets.call, sock_read=self._budgets.silence)
        async with self._response(_Request("GET", path, query), budget) as response:
            async for line in response.content:
                yield _event(line)

    async def _list_pages(self, path: str, query: Mapping[str, str]) -> tuple[list[Json], str]:
        items: list[Json] = []
        token = ""
        while True:
            page_query = {**query, "limit": str(_PAGE_SIZE)} | ({"continue": token} if token else {})
            page = await self._call(_Request("GET", path, page_query))
            items += page.get("items") or []
            token = page["metadata"].get("continue") or ""
            if not token:
                return items, page["metadata"]["resourceVersion"]

    async def _call(self, request: _Request) -> Json:
        budget = aiohttp.ClientTimeout(total=self._budgets.call)
        with nullcontext() if request.method == "GET" else self._fence():
            async with self._response(request, budget) as response:
                return _object(await response.read())

    @asynccontextmanager
    async def _response(
        self, request: _Request, budget: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._transport.session().request(
                request.method,
                params=request.query,
                data=request.data,
                headers=await self._headers(request),
                timeout=budget,
                **self._target(request),
            ) as response:
                await _raise_for_status(response)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"{request.method} {request.path}: {_why(error, budget)}") from error

    def _target(self, request: _Request) -> Json:
        if request.elsewhere:
            return {"url": request.path, "ssl": self._transport.tls(verify=request.verify)}
        return {
            "url": self._configuration.host + request.path,
            "server_hostname": self._configuration.tls_server_name,
            "proxy": self._configuration.proxy,
        }

    async def _headers(self, request: _Request) -> dict[str, str]:
        headers = {"Accept": _JSON, "User-Agent": "tidegate"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        try:
            settings = await self._configuration.auth_settings()
        except (ConfigException, OSError) as error:
            raise UnreachableError(f"the service account's token cannot be read: {error}") from error
        bearer = settings.get("BearerToken")
        if bearer and bearer["value"]:
            headers["Authorization"] = bearer["value"]
        return headers


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status >= 400:
        retry_after = response.headers.get("Retry-After")
        raise error_from_status(response.status, _status_object(await response.read()), retry_after)


def _status_object(body: bytes) -> Json:
    """The Status in an error's body; a proxy's plain text becomes its message, shortened."""
    try:
        return _object(body)
    except KubeError:
        return {"message": body[:200].decode(errors="replace").strip()}


def _object(body: bytes) -> Json:
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise KubeError(0, "Malformed", f"the API server's answer is not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise KubeError(
            0, "Malformed", f"the API server answered with a {type(decoded).__name__}, not an object"
        )
    return decoded


def _event(line: bytes) -> WatchEvent:
    decoded = _object(line)
    event = WatchEvent(str(decoded.get("type")), decoded.get("object") or {})
    if event.type == "ERROR":
        raise error_from_status(int(event.object.get("code") or 500), event.object)
    if "resourceVersion" not in (event.object.get("metadata") or {}):
        raise KubeError(0, "Malformed", f"a watch's line of type {event.type!r} has no object with a version")
    return event


def _without_none(query: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in query.items() if value is not None}


def _why(error: Exception, budget: aiohttp.ClientTimeout) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {budget.total or budget.sock_read:g} s"
    return f"no connection ({error or type(error).__name__})"
