"""Which namespaces an installation serves, so that two of them never act on one object.

The label ``tidegate.io/installation`` of a namespace names the installation (by its own namespace) that it
was handed to. A cluster-wide installation serves every namespace but those handed to another one; an
installation for one namespace serves it only while it is handed to it. Both read the same label, which only
an administrator can write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient, WatchEvent
from tidegate.kube.errors import KubeError, NotFoundError
from tidegate.kube.reflector import Collection, Pace, Reflector
from tidegate.resources.names import INSTALLATION_LABEL

_logger = logging.getLogger(__name__)

Changed = Callable[[], None]

LOOK_SECONDS = 10.0  # a Role cannot allow a watch of one's own namespace, so it is read: 6 reads a minute


class Territory(Protocol):
    """What an installation serves."""

    @property
    def namespace(self) -> str | None:
        """The one namespace that is listed and watched; None: all are."""
        ...

    def owns(self, namespace: str) -> bool:
        """Whether the objects of a namespace are this installation's to act on."""
        ...

    async def look(self) -> None:
        """Read now what ``owns`` says. KubeError."""
        ...

    async def run(self, changed: Changed) -> None:
        """Follow it until cancelled; ``changed`` is called after each change, and once known."""
        ...


class Everywhere:
    """All namespaces, unasked: where nobody else can be."""

    namespace: str | None = None

    def owns(self, namespace: str) -> bool:  # noqa: ARG002
        """Yes."""
        return True

    async def look(self) -> None:
        """Nothing is to be read."""

    async def run(self, changed: Changed) -> None:
        """Known from the start."""
        changed()
        await asyncio.Event().wait()


class WholeCluster:
    """All namespaces but those handed to another installation. ``installation``: our own namespace."""

    namespace: str | None = None

    def __init__(self, client: KubeClient, installation: str, pace: Pace | None = None) -> None:
        self._client = client
        self._installation = installation
        self._pace = pace
        self._handed: dict[str, str] | None = None
        self._changed: Changed = _nobody

    def owns(self, namespace: str) -> bool:
        """Whether nobody else was given the namespace."""
        return (self._handed or {}).get(namespace, self._installation) == self._installation

    async def look(self) -> None:
        """List the labelled namespaces. KubeError."""
        items, _ = await self._client.list_all(paths.NAMESPACES, label_selector=INSTALLATION_LABEL)
        self.listed(items)

    async def run(self, changed: Changed) -> None:
        """Follow the labelled namespaces."""
        self._changed = changed
        if self._handed is not None:
            changed()
        labelled = Collection(paths.NAMESPACES, INSTALLATION_LABEL)
        await Reflector(self._client, labelled, self, pace=self._pace).run()

    def listed(self, items: list[Json]) -> None:
        """These are all that carry the label."""
        self._take({item["metadata"]["name"]: _label(item) for item in items})

    def changed(self, event: WatchEvent) -> None:
        """One carries it, or another value, or (DELETED) no longer."""
        name = event.object["metadata"]["name"]
        others = {other: label for other, label in (self._handed or {}).items() if other != name}
        self._take(others if event.type == "DELETED" else others | {name: _label(event.object)})

    def _take(self, handed: dict[str, str]) -> None:
        if handed != self._handed:
            self._handed = handed
            self._changed()


class OneNamespace:
    """One namespace, while it is handed to this installation; unknown is no."""

    def __init__(
        self, client: KubeClient, namespace: str, installation: str, every: float = LOOK_SECONDS
    ) -> None:
        self.namespace: str | None = namespace
        self._client = client
        self._path = paths.namespace(namespace)
        self._installation = installation
        self._every = every
        self._label: str | None = None
        self._told = ""

    def owns(self, namespace: str) -> bool:
        """Whether it is that namespace, and ours."""
        return namespace == self.namespace and self._label == self._installation

    async def look(self) -> None:
        """Read the namespace's label. KubeError; one that does not exist is not ours."""
        try:
            self._label = _label(await self._client.get(self._path))
        except NotFoundError:
            self._label = None
        self._tell()

    async def run(self, changed: Changed) -> None:
        """Read it again and again; while the API server is away, what was read last stands."""
        known: bool | None = None
        while True:
            try:
                await self.look()
            except KubeError as error:
                _logger.warning("namespace %s cannot be read: %s", self.namespace, error)
            else:
                before, known = known, self.owns(str(self.namespace))
                if known != before:
                    changed()
            await asyncio.sleep(self._every)

    def _tell(self) -> None:
        sentence = self._sentence()
        if sentence != self._told:
            self._told = sentence
            _logger.warning("%s", sentence) if sentence else _logger.info("%s is served", self.namespace)

    def _sentence(self) -> str:
        if self._label == self._installation:
            return ""
        holder = f"handed to {self._label}" if self._label else "not handed to this installation"
        return (
            f"nothing is done in namespace {self.namespace}: it is {holder}. An administrator hands it over "
            f"with: kubectl label namespace {self.namespace} --overwrite "
            f"{INSTALLATION_LABEL}={self._installation}"
        )


def territory(client: KubeClient, watched: str | None, installation: str | None) -> Territory:
    """What a process serves by its flags; without an installation's namespace all is its own."""
    if watched:
        return OneNamespace(client, watched, installation or watched)
    return WholeCluster(client, installation) if installation else Everywhere()


def _label(namespace: Json) -> str:
    return str((namespace["metadata"].get("labels") or {}).get(INSTALLATION_LABEL, ""))


def _nobody() -> None:
    """Nobody has asked to be told yet."""
