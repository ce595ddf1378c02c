"""One pass over one service: observe → plan → write → scale → status. The same facts write nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tidegate.api.config import service_key
from tidegate.api.scaling import windows_of
from tidegate.api.v1alpha1 import InferenceService, parse
from tidegate.control.autoscale import Autoscaler, Scene
from tidegate.control.queue_pace import QueuePace
from tidegate.control.status import blocked_status, status_of, status_patch
from tidegate.controller.blocked import blocked_facts, refused
from tidegate.controller.objects import ObjectWriter
from tidegate.controller.world import World
from tidegate.domain.causes import Cause, replica_failure
from tidegate.domain.conditions import INVALID_SPEC, settled_since
from tidegate.domain.events import Announcement, announcements
from tidegate.domain.rejections import back_off
from tidegate.domain.scaling import REJECTED, SAID_BY_THE_SPEC, ScaleDecision
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import first_cause
from tidegate.kube.cache import Kind
from tidegate.kube.errors import ForbiddenError, InvalidError, NamespaceTerminatingError
from tidegate.resources.budget import build_budget
from tidegate.resources.deployment import WorkerImages, build_deployment, build_seed
from tidegate.resources.labels import is_ours
from tidegate.resources.names import (
    TEMPLATE_ANNOTATION,
    client_service,
    disruption_budget,
    worker_deployment,
)
from tidegate.resources.plan import Desired, Observed, plan
from tidegate.resources.service import build_service

Json = dict[str, Any]

CONFLICT_RECHECK = 60.0  # seconds; a foreign object has no label of ours, so its end makes no event
LEFT_OVER_RECHECK = 2.0  # seconds; what is left of a predecessor goes by itself, with or without our label
TERMINATING_RECHECK = 30.0  # seconds; the end of a namespace is told by the end of what is in it


@dataclass(frozen=True)
class ReconcileSettings:
    """What the installation decides for every service; ``now``: Unix time."""

    images: WorkerImages
    gateway_host: str  # where the clients' Services point to
    now: Callable[[], float]
    node_cache: str = ""  # the folder for caches on each node; empty: none


@dataclass(frozen=True)
class PassResult:
    """``result``: ok | conflict | invalid | gone | foreign, another installation's.

    ``recheck_after``: seconds, None: at the next event."""

    result: str
    recheck_after: float | None = None


class TellsNews(Protocol):
    """Where Events are written; controller.events.EventRecorder is one."""

    def tell(self, raw: Json, news: Iterable[Announcement]) -> None:
        """News about an InferenceService, as the API server has it; never waits, never raises."""
        ...


class Reconciler:
    """Makes what exists equal to what should, for one service at a time; ``events`` None: nobody is told."""

    def __init__(
        self,
        world: World,
        writer: ObjectWriter,
        autoscaler: Autoscaler,
        settings: ReconcileSettings,
        events: TellsNews | None = None,
    ) -> None:
        self._world = world
        self._writer = writer
        self._autoscaler = autoscaler
        self._events = events
        self._settings = settings
        self._queue_pace = QueuePace()

    async def reconcile(self, key: ServiceKey) -> PassResult:
        """One pass. KubeError where the API server refuses or is away."""
        if not self._world.territory.owns(key.namespace):
            self._forget(key)
            return PassResult("foreign")
        raw = self._world.cache.get(Kind.INFERENCE_SERVICE, key.namespace, key.name)
        if raw is None or "deletionTimestamp" in raw["metadata"]:
            if raw is not None:
                await self._wind_down(raw)
            self._forget(key)
            return PassResult("gone")  # what it owned goes with it
        try:
            service = parse(raw)
            windows_of(service.spec.scaling.schedules)  # what no schema can tell
            desired = self._desired(service)
        except ValueError as error:
            await self._block(raw, Cause(INVALID_SPEC, str(error)))
            return PassResult("invalid")
        return await self._make(raw, service, desired)

    async def _make(self, raw: Json, service: InferenceService, desired: Desired) -> PassResult:
        try:
            conflict = await self._write_objects(service, desired)
        except NamespaceTerminatingError:
            return PassResult("gone", TERMINATING_RECHECK)  # so will be the service
        except (ForbiddenError, InvalidError) as error:
            await self._block(raw, refused(error))
            await self._let_go(service)
            raise  # tried again, later each time
        if conflict:
            await self._block(raw, conflict)
            await self._let_go(service)
            return PassResult("conflict", CONFLICT_RECHECK if conflict.failure else LEFT_OVER_RECHECK)
        return PassResult("ok", await self._scale_and_tell(raw, service))

    def _desired(self, service: InferenceService) -> Desired:
        return Desired(
            name=service.metadata.name,
            uid=service.metadata.uid,
            seed=build_seed(service, self._settings.images),
            deployment=build_deployment(service, self._settings.images, self._settings.node_cache),
            service=build_service(service, self._settings.gateway_host),
            budget=build_budget(service),
        )

    async def _write_objects(self, service: InferenceService, desired: Desired) -> Cause | None:
        """A cause where a foreign object is in the way."""
        namespace, name = service.metadata.namespace, service.metadata.name
        observed = Observed(
            deployment=self._world.cache.get(Kind.DEPLOYMENT, namespace, worker_deployment(name)),
            service=self._world.cache.get(Kind.SERVICE, namespace, client_service(name)),
            budget=self._world.cache.get(Kind.POD_DISRUPTION_BUDGET, namespace, disruption_budget(name)),
        )
        planned = plan(desired, observed)
        for action in planned.actions:
            if conflict := await self._writer.carry_out(action, desired):
                return conflict
        return planned.conflict

    async def _scale_and_tell(self, raw: Json, service: InferenceService) -> float | None:
        """Seconds until the next look, None: at the next event."""
        decided = await self._autoscaler.decide(service, lambda: self._look(service))
        if decided is None:
            return None  # the Deployment is on its way out; its end is an event
        scene, decision = decided
        self._world.look_at_cores(service, scene.workers)
        if decision.reason == REJECTED:  # a gateway must know of the pause before it sees no worker
            held = await self._tell_scene(raw, service, scene, decision)
            await self._scale(service, scene, decision)
        else:
            await self._scale(service, scene, decision)
            held = await self._tell_scene(raw, service, scene, decision)
        return _earliest(decision.recheck_after, held)

    async def _scale(self, service: InferenceService, scene: Scene, decision: ScaleDecision) -> None:
        """ConflictError where fewer workers are an old spec's wish: its watch may lag behind the
        Deployment's, most of all on a replica that has just begun to lead."""
        if decision.replicas == scene.pool.replicas:
            return
        if decision.replicas < scene.pool.replicas and decision.reason in SAID_BY_THE_SPEC:
            await self._writer.require_current(service)
        await self._writer.scale(scene.deployment, decision)

    async def _let_go(self, service: InferenceService) -> None:
        """What cannot be made as it should may still stop: workers that nobody needs hold their devices."""
        decided = await self._autoscaler.decide(service, lambda: self._look(service))
        if decided is None or not is_ours(decided[0].deployment, service.metadata.uid):
            return
        scene, decision = decided
        if decision.replicas < scene.pool.replicas:
            await self._scale(service, scene, decision)

    async def _tell_scene(
        self, raw: Json, service: InferenceService, scene: Scene, decision: ScaleDecision
    ) -> float | None:
        key, contests = service_key(service), self._writer.contests
        pause, settled = scene.backs_off, settled_since((raw.get("status") or {}).get("conditions") or ())
        cause = pause.cause if pause else first_cause(scene.workers, settled) or scene.refused
        seen = replace(
            self._world.observation(service, scene.workers, scene.load, decision, cause),
            others=(*self._world.other_conditions(service, scene.now), *contests.conditions(key)),
            verdict=self._world.verdict(service, scene.workers, scene.now),
            back_off=pause,
            starts=self._world.cold_starts(service),
        )
        wanted = status_of(service, seen, raw.get("status") or {}, scene.now)
        self._world.ask_about_start(key, wanted, scene.workers)
        held = await self._tell(raw, key, wanted, decision.message)
        return _earliest(contests.recheck_after(key), held)

    async def _wind_down(self, raw: Json) -> None:
        """A finalizer of others holds it: gateways know it no more, so its workers have nothing left to do.

        Not so where its dependents shall outlive it (``kubectl delete --cascade=orphan``).
        """
        metadata = raw["metadata"]
        name = worker_deployment(metadata["name"])
        deployment = self._world.cache.get(Kind.DEPLOYMENT, metadata["namespace"], name)
        if deployment is None or not is_ours(deployment, metadata["uid"]):
            return
        kept = "orphan" in (metadata.get("finalizers") or []) or "deletionTimestamp" in deployment["metadata"]
        if deployment["spec"].get("replicas") and not kept:
            decision = ScaleDecision(0, "Deleted", "the InferenceService is being deleted")
            await self._writer.scale(deployment, decision)

    def _look(self, service: InferenceService) -> Scene | None:
        key = service_key(service)
        deployment = self._world.cache.get(Kind.DEPLOYMENT, key.namespace, worker_deployment(key.name))
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return None
        workers = self._world.workers(service)
        return Scene(
            deployment=deployment,
            workers=workers,
            load=self._world.board.load(key),
            refused=replica_failure(deployment),
            now=self._settings.now(),
            back_off=back_off(workers, _template(deployment)),
        )

    async def _tell(self, raw: Json, key: ServiceKey, wanted: Json, why: str) -> float | None:
        """Write the status where it differs; seconds until a depth that was held back may be written.

        ``why``: the sentence of the scaling decision, for the Event that announces it.
        """
        patch = status_patch(wanted, raw.get("status") or {})
        now = self._settings.now()
        if (wait := self._queue_pace.wait(key, patch, now)) is not None:
            return wait
        if patch:
            await self._write_status(raw, wanted, patch, why)
        self._queue_pace.written(key, patch, now)
        return None

    async def _block(self, raw: Json, cause: Cause) -> None:
        wanted = blocked_status(raw, cause, blocked_facts(self._world, raw), self._settings.now())
        if patch := status_patch(wanted, raw.get("status") or {}):
            await self._write_status(raw, wanted, patch)

    async def _write_status(self, raw: Json, wanted: Json, patch: Json, why: str = "") -> None:
        """What has changed is written first and announced then: an Event never tells what status does not."""
        await self._writer.write_status(raw, patch)
        if self._events is not None:
            self._events.tell(raw, announcements(raw.get("status") or {}, wanted, why))

    def _forget(self, key: ServiceKey) -> None:
        self._queue_pace.forget(key)
        self._world.forget(key)
        self._autoscaler.forget(key)
        self._writer.contests.forget(key)


def _template(deployment: Json) -> str:
    annotations = deployment["spec"]["template"].get("metadata", {}).get("annotations") or {}
    return str(annotations.get(TEMPLATE_ANNOTATION, ""))


def _earliest(*delays: float | None) -> float | None:
    return min((delay for delay in delays if delay is not None), default=None)
