"""Writes of the objects that a service owns. Every answer goes into the cache, so the next pass knows it."""

from __future__ import annotations

import logging
from typing import Any

from tidegate.api.v1alpha1 import InferenceService
from tidegate.controller.contests import Contests
from tidegate.controller.metrics import OperatorMetrics
from tidegate.domain.causes import Cause
from tidegate.domain.scaling import ScaleDecision
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.cache import Kind, ObjectCache
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from tidegate.kube.scale import write_scale
from tidegate.resources.differs import differences
from tidegate.resources.image_volumes import dropped_image_volume
from tidegate.resources.labels import is_ours
from tidegate.resources.names import FIELD_MANAGER, SERVICE_LABEL
from tidegate.resources.ownership import other_managers
from tidegate.resources.plan import Action, Desired, conflict

_logger = logging.getLogger(__name__)

Json = dict[str, Any]


class ObjectWriter:
    """Carries out what a plan says."""

    def __init__(
        self, client: KubeClient, cache: ObjectCache, metrics: OperatorMetrics, contests: Contests
    ) -> None:
        self._client = client
        self._cache = cache
        self._metrics = metrics
        self.contests = contests

    async def carry_out(self, action: Action, desired: Desired) -> Cause | None:
        """Do one action; a cause where a foreign object is in its way. KubeError."""
        if action.verb == "create":
            return await self._create(action.manifest, desired)
        if action.verb == "delete":
            await self._delete(action)
            return None
        if not self.contests.wait(_owner(action), action):
            return await self._correct(action)
        metadata = action.manifest["metadata"]
        answer = self._cache.get(Kind(action.manifest["kind"]), metadata["namespace"], metadata["name"])
        return dropped_image_volume(action.manifest, answer) if answer else None

    async def _correct(self, action: Action) -> Cause | None:
        """Apply, and remember whether it was of any use."""
        key, managers = _owner(action), tuple[str, ...]()
        if self.contests.suspected(key, action):
            managers = other_managers(await self._client.get(_path_of(action)), action.why)
        applied = await self._apply(action)
        left = differences({part: action.manifest[part] for part in ("metadata", "spec")}, applied)
        self.contests.sent(key, action, left, managers or other_managers(applied, left))
        return dropped_image_volume(action.manifest, applied)

    async def require_current(self, service: InferenceService) -> None:
        """ConflictError where the API server has another spec than this one; the cache knows it then."""
        metadata = service.metadata
        path = paths.inference_services(metadata.namespace)
        found, _ = await self._client.list_all(path, field_selector=f"metadata.name={metadata.name}")
        for newest in found:
            self._cache.put(Kind.INFERENCE_SERVICE, newest)
        known = (metadata.uid, metadata.generation)
        if known not in {(each["metadata"]["uid"], each["metadata"]["generation"]) for each in found}:
            raise ConflictError(409, "Conflict", "its spec has changed in this moment")

    async def scale(self, deployment: Json, decision: ScaleDecision) -> None:
        """Write the number of workers. ConflictError: the Deployment has changed, look again."""
        scaled = await write_scale(self._client, deployment, decision.replicas)
        self._metrics.writes.labels("Scale", "update").inc()
        self._metrics.scale_decisions.labels(decision.reason).inc()
        name = f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
        _logger.info("%s: scaled to %d: %s (%s)", name, decision.replicas, decision.message, decision.reason)
        self._cache.put(Kind.DEPLOYMENT, scaled)

    async def write_status(self, raw: Json, patch: Json) -> None:
        """Merge these fields into the status of an InferenceService, if it still is what they were made of.

        ConflictError: it has changed meanwhile, or is a successor of the same name.
        """
        metadata = raw["metadata"]
        path = paths.inference_service_status(metadata["namespace"], metadata["name"])
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": patch}
        answer = await self._client.merge_patch(path, body, field_manager=FIELD_MANAGER)
        self._metrics.writes.labels("Status", "patch").inc()
        self._cache.put(Kind.INFERENCE_SERVICE, answer)

    async def _create(self, manifest: Json, desired: Desired) -> Cause | None:
        kind, metadata = Kind(manifest["kind"]), manifest["metadata"]
        try:
            collection = _collection(kind, metadata["namespace"])
            created = await self._client.create(collection, manifest, field_manager=FIELD_MANAGER)
        except AlreadyExistsError:
            existing = await self._client.get(_path(kind, metadata["namespace"], metadata["name"]))
            if not is_ours(existing, desired.uid):
                return conflict(existing, desired)
            created = existing  # ours, without its label; the apply that follows gives it back
        else:
            self._metrics.writes.labels(kind, "create").inc()
        self._cache.put(kind, created)
        return None

    async def _apply(self, action: Action) -> Json:
        """Server-side apply with the uid of what was seen, so that it never creates anything."""
        manifest, metadata = action.manifest, action.manifest["metadata"]
        kind, namespace, name = Kind(manifest["kind"]), metadata["namespace"], metadata["name"]
        existing = self._cache.get(kind, namespace, name)
        if existing is None:
            raise NotFoundError(404, "NotFound", f"{kind} {namespace}/{name} has gone meanwhile")
        body = {**manifest, "metadata": {**metadata, "uid": existing["metadata"]["uid"]}}
        applied = await self._client.apply(_path(kind, namespace, name), body, field_manager=FIELD_MANAGER)
        self._metrics.writes.labels(kind, "apply").inc()
        _logger.info("%s %s/%s applied: %s", kind, namespace, name, ", ".join(action.why[:5]))
        self._cache.put(kind, applied)
        return applied

    async def _delete(self, action: Action) -> None:
        """With the uid of what was seen, so that a successor of the same name is left alone."""
        metadata = action.manifest["metadata"]
        kind, namespace, name = Kind(action.manifest["kind"]), metadata["namespace"], metadata["name"]
        try:
            rest = await self._client.delete(_path(kind, namespace, name), uid=metadata["uid"])
        except NotFoundError:
            rest = None
        else:
            self._metrics.writes.labels(kind, "delete").inc()
            _logger.info("%s %s/%s deleted: %s", kind, namespace, name, ", ".join(action.why))
        if rest is None:
            self._cache.remove(kind, action.manifest)
        else:
            self._cache.put(kind, rest)  # somebody's finalizer holds it; its end is an event


def _collection(kind: Kind, namespace: str) -> str:
    match kind:
        case Kind.DEPLOYMENT:
            return paths.deployments(namespace)
        case Kind.POD_DISRUPTION_BUDGET:
            return paths.pod_disruption_budgets(namespace)
        case _:
            return paths.services(namespace)


def _owner(action: Action) -> ServiceKey:
    metadata = action.manifest["metadata"]
    return ServiceKey(metadata["namespace"], metadata["labels"][SERVICE_LABEL])


def _path_of(action: Action) -> str:
    metadata = action.manifest["metadata"]
    return _path(Kind(action.manifest["kind"]), metadata["namespace"], metadata["name"])


def _path(kind: Kind, namespace: str, name: str) -> str:
    return f"{_collection(kind, namespace)}/{name}"
