"""A gateway's world without Kubernetes: InferenceServices in a file, their endpoints in an annotation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from tidegate.api.config import parse_service_config
from tidegate.domain.errors import WakeError
from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.domain.service import ServiceKey, ServiceView, Worker
from tidegate.local.manifests.documents import documents
from tidegate.resources.names import ENDPOINTS_ANNOTATION, KIND

_log = logging.getLogger("tidegate.local")
POLL_SECONDS = 1.0


class Sink(Protocol):
    """Who is told; the gateway's, which this floor does not import."""

    def service_changed(self, view: ServiceView) -> None:
        """A service is new or changed."""
        ...

    def service_removed(self, key: ServiceKey) -> None:
        """A service is gone."""
        ...

    def synced(self) -> None:
        """Everything has been told once."""
        ...


class FileSubstrate:
    """The services of one YAML file. It is read again when it changes; a broken one changes nothing.

    ``default_max_depth`` is the queue limit of services that name none.
    """

    def __init__(
        self,
        path: Path,
        *,
        default_max_depth: int = DEFAULT_MAX_DEPTH,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._path = path
        self._default_max_depth = default_max_depth
        self._poll_seconds = poll_seconds
        self._views: dict[ServiceKey, ServiceView] = {}
        self._read_state: tuple[int, int, int] | None = None  # inode, change time, size
        self._complaint = ""

    def check(self) -> None:
        """Reads the file once, so that a start can fail early; ValueError or OSError says what is wrong."""
        try:
            read(self._path, self._default_max_depth)
        except ValueError as error:
            raise ValueError(f"{self._path}: {error}") from None

    async def watch(self, sink: Sink) -> None:
        """Tells ``sink`` what the file says, now and after each change, until cancelled."""
        synced, self._read_state, self._views = False, None, {}
        while True:
            views = self._changed()
            if views is not None:
                self._tell(sink, views)
            if not synced and self._read_state is not None and not self._complaint:
                synced = True
                sink.synced()
            await asyncio.sleep(self._poll_seconds)

    async def wake(self, key: ServiceKey) -> bool:
        """Nothing can be started here."""
        raise WakeError(
            f"{key} has no endpoint: name one in the annotation {ENDPOINTS_ANNOTATION} in the file"
        )

    def _changed(self) -> dict[ServiceKey, ServiceView] | None:
        """What the file says where it has changed and can be read; None otherwise."""
        try:
            stat = self._path.stat()
            state = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if state == self._read_state:
                return None
            self._read_state = state
            views = read(self._path, self._default_max_depth)
        except (OSError, ValueError) as error:
            self._complain(f"{self._path} cannot be used, the last good state stays: {error}")
            return None
        self._complaint = ""
        return views

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            _log.error("%s", text)

    def _tell(self, sink: Sink, views: dict[ServiceKey, ServiceView]) -> None:
        for key in self._views.keys() - views.keys():
            sink.service_removed(key)
        for key, view in views.items():
            if self._views.get(key) != view:
                sink.service_changed(view)
        self._views = views


def read(path: Path, default_max_depth: int = DEFAULT_MAX_DEPTH) -> dict[ServiceKey, ServiceView]:
    """The services of a file of YAML documents. OSError, or ValueError that names document and field."""
    views: dict[ServiceKey, ServiceView] = {}
    for number, document in enumerate(documents(path.read_text(encoding="utf-8")), 1):
        if document is None:
            continue
        view = _view(document, number, default_max_depth)
        if view.config.key in views:
            raise ValueError(f"document {number}: {view.config.key} is there twice")
        views[view.config.key] = view
    return views


def _view(document: Any, number: int, default_max_depth: int) -> ServiceView:
    if not isinstance(document, Mapping) or document.get("kind") != KIND:
        raise ValueError(f"document {number}: kind: must be {KIND}")
    try:
        config = parse_service_config(document, default_max_depth, strict=True)
        annotations = (document.get("metadata") or {}).get("annotations") or {}
        return ServiceView(config, tuple(_workers(str(annotations.get(ENDPOINTS_ANNOTATION, "")))))
    except ValueError as error:
        raise ValueError(f"document {number}: {error}") from None


def _workers(endpoints: str) -> Iterator[Worker]:
    """One worker for each ``host:port``; none is taken for ready, the gateway's probe decides."""
    seen: set[str] = set()
    for endpoint in filter(None, (part.strip() for part in endpoints.split(","))):
        host, colon, port = endpoint.rpartition(":")
        if not colon or not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"metadata.annotations[{ENDPOINTS_ANNOTATION}]: {endpoint!r} is not host:port")
        if endpoint in seen:
            raise ValueError(f"metadata.annotations[{ENDPOINTS_ANNOTATION}]: {endpoint} is there twice")
        seen.add(endpoint)
        yield Worker(
            uid=endpoint,
            incarnation=0,
            host=host.strip("[]"),
            port=int(port),
            ready=False,
            terminating=False,
            stage="started",
        )
