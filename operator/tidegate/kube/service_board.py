"""Joins InferenceServices and their pods into ServiceViews, and tells only what changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from tidegate.control.workers import service_of, worker_from_pod
from tidegate.domain.service import ServiceConfig, ServiceKey, ServiceView, Worker
from tidegate.kube.client import Json, WatchEvent

_logger = logging.getLogger(__name__)

ParseService = Callable[[Json], ServiceConfig]  # raises ValueError that names the field


class Sink(Protocol):
    """Who is told; called on the event loop."""

    def service_changed(self, view: ServiceView) -> None:
        """A service is new, or it or one of its workers changed."""
        ...

    def service_removed(self, key: ServiceKey) -> None:
        """A service is gone."""
        ...

    def synced(self) -> None:
        """Everything that exists has been told."""
        ...


@dataclass(frozen=True, slots=True)
class _Pod:
    """What is remembered of a pod: for whom it works, and how new that is."""

    key: ServiceKey | None
    version: str


class ServiceBoard:
    """The services of a cluster as a gateway sees them.

    Nothing is told before services and pods have both been listed once: a service told without its
    pods would look asleep.
    """

    def __init__(self, sink: Sink, parse: ParseService, owns: Callable[[str], bool] | None = None) -> None:
        """``owns``: whether a namespace's services are told at all; None: those of every one are, and nobody
        need call ``territory_changed`` first."""
        self._sink = sink
        self._owns = owns
        self._parse = parse
        self._configs: dict[ServiceKey, ServiceConfig] = {}
        self._workers: dict[ServiceKey, dict[str, Worker]] = {}
        self._pods: dict[str, _Pod] = {}  # by uid
        self._told: dict[ServiceKey, ServiceView] = {}
        self._complaints: dict[ServiceKey, str] = {}
        self._versions: dict[
            ServiceKey, str
        ] = {}  # of what was parsed last; parsing 5,000 takes half a second
        self._unlisted = {"services", "pods"} | ({"territory"} if owns else set())

    @property
    def services(self) -> _Services:
        """The mirror of the InferenceServices."""
        return _Services(self)

    @property
    def pods(self) -> _Pods:
        """The mirror of the worker pods."""
        return _Pods(self)

    def territory_changed(self) -> None:
        """``owns`` may say another thing of any namespace."""
        self._listed("territory")
        self._tell_all(list(self._configs))

    def replace_services(self, items: list[Json]) -> None:
        """These are all the services; one that is not among them is removed."""
        keyed = {_key(item): item for item in items}
        for key in [known for known in self._versions if known not in keyed]:
            self.remove_service(key)
        for key, item in keyed.items():
            self._put_service(key, item)
        self._listed("services")

    def put_service(self, item: Json) -> None:
        """A service is new or changed; one that cannot be read keeps its last good form, if it had one."""
        self._put_service(_key(item), item)

    def _put_service(self, key: ServiceKey, item: Json) -> None:
        if "deletionTimestamp" in item["metadata"]:  # however long a finalizer holds it
            self.remove_service(key)
            return
        version = item["metadata"]["resourceVersion"]
        if self._versions.get(key) == version:
            return
        self._versions[key] = version
        try:
            self._configs[key] = self._parse(item)
        except ValueError as error:
            self._complain(key, str(error))
            return
        self._complaints.pop(key, None)
        self._tell(key)

    def remove_service(self, key: ServiceKey) -> None:
        """A service is gone."""
        for memory in (self._versions, self._configs, self._complaints):
            memory.pop(key, None)
        if self._told.pop(key, None):
            self._sink.service_removed(key)

    def replace_pods(self, items: list[Json]) -> None:
        """These are all the pods; a worker that is not among them is gone."""
        listed = {pod["metadata"]["uid"]: pod for pod in items}
        for uid in [known for known in self._pods if known not in listed]:
            self._tell_all([self._forget(uid)])
        for pod in items:
            self.put_pod(pod)
        self._listed("pods")

    def put_pod(self, pod: Json) -> None:
        """A pod is new or changed; one that is relabelled moves to its new service."""
        uid, version = pod["metadata"]["uid"], pod["metadata"]["resourceVersion"]
        if uid in self._pods and self._pods[uid].version == version:
            return
        before = self._forget(uid)
        key, worker = service_of(pod), worker_from_pod(pod)
        self._pods[uid] = _Pod(key, version)
        if key and worker:
            self._workers.setdefault(key, {})[uid] = worker
        self._tell_all({before, key})

    def remove_pod(self, pod: Json) -> None:
        """A pod is gone."""
        self._tell_all([self._forget(pod["metadata"]["uid"])])

    def _forget(self, uid: str) -> ServiceKey | None:
        """The service that the pod worked for."""
        known = self._pods.pop(uid, None)
        if known is None or known.key is None:
            return None
        workers = self._workers.get(known.key, {})
        workers.pop(uid, None)
        if not workers:
            self._workers.pop(known.key, None)
        return known.key

    def _listed(self, what: str) -> None:
        if what not in self._unlisted:
            return
        self._unlisted.discard(what)
        if not self._unlisted:
            self._tell_all(self._configs)
            self._sink.synced()

    def _tell_all(self, keys: Iterable[ServiceKey | None]) -> None:
        for key in keys:
            if key:
                self._tell(key)

    def _tell(self, key: ServiceKey) -> None:
        config = self._configs.get(key)
        if config is None or self._unlisted:
            return
        if self._owns and not self._owns(key.namespace):
            if self._told.pop(key, None):
                self._sink.service_removed(key)
            return
        workers = self._workers.get(key, {})
        view = ServiceView(config, tuple(workers[uid] for uid in sorted(workers)))
        if self._told.get(key) != view:
            self._told[key] = view
            self._sink.service_changed(view)

    def _complain(self, key: ServiceKey, message: str) -> None:
        if self._complaints.get(key) != message:
            self._complaints[key] = message
            _logger.warning("InferenceService %s is skipped: %s", key, message)


class _Services:
    def __init__(self, board: ServiceBoard) -> None:
        self._board = board

    def listed(self, items: list[Json]) -> None:
        self._board.replace_services(items)

    def changed(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._board.remove_service(_key(event.object))
        else:
            self._board.put_service(event.object)


class _Pods:
    def __init__(self, board: ServiceBoard) -> None:
        self._board = board

    def listed(self, items: list[Json]) -> None:
        self._board.replace_pods(items)

    def changed(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._board.remove_pod(event.object)
        else:
            self._board.put_pod(event.object)


def _key(item: Json) -> ServiceKey:
    return ServiceKey(item["metadata"]["namespace"], item["metadata"]["name"])
