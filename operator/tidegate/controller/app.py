"""The operator, put together."""

from __future__ import annotations

import asyncio
import logging
import platform
import random
import signal
import threading
import time
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import kopf

from tidegate.control.autoscale import Autoscaler
from tidegate.control.counters import CounterWatch
from tidegate.control.deletion_order import DeletionOrder
from tidegate.control.evidence import EvidenceSettings, EvidenceWatch
from tidegate.control.queue import Backoff, KeyedQueue
from tidegate.control.start_watch import StartSettings, StartWatch
from tidegate.controller.admission import Admission
from tidegate.controller.contests import Contests
from tidegate.controller.costs import CostCollector
from tidegate.controller.deletion_marks import DeletionMarks
from tidegate.controller.events import EventRecorder, EventSettings
from tidegate.controller.gateways import GatewayPods, gateway_pods
from tidegate.controller.handlers import register, register_nodes
from tidegate.controller.http import served
from tidegate.controller.kopf_edge import KopfSettings, run_kopf
from tidegate.controller.leadership import Leadership, LeadershipSettings
from tidegate.controller.lifetimes import finished, first, until
from tidegate.controller.metrics import OperatorMetrics
from tidegate.controller.nodes import NodeLabels
from tidegate.controller.nodes import register as register_node_labels
from tidegate.controller.objects import ObjectWriter
from tidegate.controller.pulls import Pulls
from tidegate.controller.reconcile import Reconciler, ReconcileSettings
from tidegate.controller.resync import Resync, ResyncSettings
from tidegate.controller.runner import Runner
from tidegate.controller.slo import SloSettings, SloWatch, services_with_targets
from tidegate.controller.start_metrics import StartCollector
from tidegate.controller.subscriptions import Subscriptions, SubscriptionSettings
from tidegate.controller.webhook import WebhookSettings, run_webhook
from tidegate.controller.webhook_tls import TlsNames
from tidegate.controller.world import World
from tidegate.domain.event_log import REPEAT_SECONDS
from tidegate.domain.lease import LeaseTimes
from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind
from tidegate.kube.client import Budgets, KubeClient
from tidegate.kube.connection import in_cluster
from tidegate.kube.errors import KubeError
from tidegate.kube.kubelet import Kubelets
from tidegate.kube.lease import LeaseClient, LeaseName
from tidegate.kube.reflector import Reflector
from tidegate.kube.territory import territory
from tidegate.resources.deployment import WorkerImages
from tidegate.resources.names import (
    GATEWAY_ADMIN_PORT,
    GATEWAY_SERVICE_PORT,
    OPERATOR_HEALTH_PORT,
    OPERATOR_METRICS_PORT,
    OPERATOR_WEBHOOK_PORT,
    WORKER_ISOLATION_PORT,
    WORKER_PORT,
    worker_deployment,
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OperatorSettings:
    """What the command line sets.

    ``namespace``: the installation's own. ``webhook_config``: the name of the webhook configurations whose
    webhooks are served, None: none is. ``kubelet_insecure``: ask kubelets whose certificate cannot be
    verified. ``watch_namespace``: the one namespace that is served, None: all that are not handed to another
    installation. ``gateway_host``: where the clients' Services point to, empty: the gateway's Service in the
    installation's namespace. ``gateway_port``: that Service's, for the url in the status.
    ``gateway_drain_seconds``: the gateways' --drain-seconds, 0: unknown.
    ``resync_seconds``: between two full listings, 20 % more or less each time. ``workers``: passes at
    once. ``event_repeat_seconds``: between two writes of one Event. ``slo_seconds``: between two looks at
    what gateways have counted. ``host``: listened on, empty: every address.
    """

    namespace: str
    images: WorkerImages
    default_max_depth: int = DEFAULT_MAX_DEPTH
    webhook_config: str | None = "tidegate"
    kubelet_insecure: bool = False
    watch_namespace: str | None = None
    gateway_host: str = ""
    gateway_port: int = GATEWAY_SERVICE_PORT
    gateway_drain_seconds: int = 0
    node_cache: str = ""
    resync_seconds: float = 180.0
    workers: int = 4
    event_repeat_seconds: float = REPEAT_SECONDS
    slo_seconds: float = 30.0
    host: str = ""
    metrics_port: int = OPERATOR_METRICS_PORT
    health_port: int = OPERATOR_HEALTH_PORT
    webhook_port: int = OPERATOR_WEBHOOK_PORT
    gateway_admin_port: int = GATEWAY_ADMIN_PORT
    worker_port: int = WORKER_PORT
    isolation_port: int = WORKER_ISOLATION_PORT

    @property
    def clients_host(self) -> str:
        """Where the clients' Services point to."""
        return self.gateway_host or f"tidegate-gateway.{self.namespace}.svc.cluster.local"


async def run(settings: OperatorSettings, stop: asyncio.Event | None = None) -> None:
    """Run until SIGTERM, SIGINT or ``stop``.

    KubeConfigError: there is no cluster; KubeError: it cannot be listed; OSError: a port is taken.
    """
    stop = stop or asyncio.Event()
    _stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        times = LeaseTimes()
        own = await stack.enter_async_context(await KubeClient.connect(Budgets(call=times.call)))
        leadership = _leadership(own, settings.namespace, times)
        client = await stack.enter_async_context(await KubeClient.connect(fence=leadership.writing))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        try:
            await _Operator(settings, client, http, leadership).run(stop)
        except BaseExceptionGroup as failures:
            raise first(failures) from None


def _leadership(own: KubeClient, namespace: str, times: LeaseTimes) -> Leadership:
    """With connections of its own, so that no other request is in a renewal's way."""
    identity = f"{platform.node()}_{uuid.uuid4().hex[:8]}"
    where = LeaseName(namespace, always_owned=in_cluster())
    return Leadership(LeaseClient(own, where), LeadershipSettings(identity, times))


class _Operator:
    """The parts, and the order in which they start and end."""

    def __init__(
        self, settings: OperatorSettings, client: KubeClient, http: httpx.AsyncClient, leadership: Leadership
    ) -> None:
        self._settings = settings
        self._client = client
        self._leadership = leadership
        self._metrics = OperatorMetrics()
        served = territory(client, settings.watch_namespace, settings.namespace)
        self._world = World(
            settings.default_max_depth,
            settings.gateway_port,
            settings.gateway_drain_seconds,
            settings.node_cache,
            territory=served,
        )
        self._queue: KeyedQueue[ServiceKey] = KeyedQueue()
        self._listed = False
        self._subscriptions = self._build_subscriptions(http)
        self._slo_watch = self._build_slo_watch(http)
        self._resync = Resync(
            client, self._world, self._look_at, ResyncSettings(settings.resync_seconds, random.uniform)
        )
        events = EventSettings(platform.node(), time.time, repeat=settings.event_repeat_seconds)
        self._events = EventRecorder(client, self._metrics, events)
        reconciler = self._build_reconciler(http)
        self._runner = Runner(self._queue, Backoff(random.uniform), reconciler, self._metrics)
        self._node_labels = NodeLabels(client, Kubelets(client, insecure=settings.kubelet_insecure))
        self._evidence = EvidenceWatch(
            self._world.evidence,
            http,
            EvidenceSettings(self._look_at, self._node_told, settings.isolation_port),
        )
        self._starts = StartWatch(
            self._world.starts,
            Pulls(client).pulled,
            http,
            StartSettings(self._look_at, settings.isolation_port),
        )
        self._metrics.leader.set_function(lambda: float(leadership.leads))
        self._metrics.queue_length.set_function(lambda: len(self._queue))
        self._metrics.services.set_function(lambda: len(self._world.cache.service_keys()))
        self._metrics.gateways_silent.set_function(lambda: float(self._world.board.silent))
        self._metrics.registry.register(CostCollector(self._services))
        self._metrics.registry.register(StartCollector(self._services))

    def _services(self) -> list[dict[str, Any]]:
        """Those that this replica speaks for, so that no two add up to twice the cost."""
        return self._world.services() if self._leadership.leads else []

    def _build_subscriptions(self, http: httpx.AsyncClient) -> Subscriptions:
        settings = SubscriptionSettings(
            changed=self._demand_changed,
            now=time.time,
            jitter=random.uniform,
            port=self._settings.gateway_admin_port,
        )
        return Subscriptions(self._world.board, http, settings)

    def _build_slo_watch(self, http: httpx.AsyncClient) -> SloWatch:
        settings = SloSettings(
            services=lambda: services_with_targets(self._world.cache),
            gateways=lambda: self._world.board.serving,
            changed=self._look_at,
            now=time.time,
            jitter=random.uniform,
            port=self._settings.gateway_admin_port,
            every=self._settings.slo_seconds,
        )
        return SloWatch(self._world.slos, http, settings)

    def _build_reconciler(self, http: httpx.AsyncClient) -> Reconciler:
        writer = ObjectWriter(self._client, self._world.cache, self._metrics, Contests(time.time))
        counters = CounterWatch(http, self._settings.worker_port)
        settings = ReconcileSettings(
            self._settings.images, self._settings.clients_host, time.time, self._settings.node_cache
        )
        autoscaler = Autoscaler(counters, self._deletion_order(counters))
        return Reconciler(self._world, writer, autoscaler, settings, self._events)

    def _deletion_order(self, counters: CounterWatch) -> DeletionOrder | None:
        """None where one namespace is served: there no admission policy could bound the right."""
        if self._settings.watch_namespace is not None:
            return None
        return DeletionOrder(counters, DeletionMarks(self._client, self._metrics).write)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve health, list everything, then watch and act; what acts ends before what watches."""
        settings = self._settings
        ports = settings.metrics_port, settings.health_port
        async with served(self._metrics, self._ready, settings.host, *ports):
            self._listed = await finished(self._first_listing(), stop)
            if not self._listed:
                return
            async with self._subscriptions.running():
                await until(stop, self._leadership.run(self._act), self._parts())

    def _ready(self) -> bool:
        watched = self._settings.watch_namespace
        return self._listed and (watched is None or self._world.territory.owns(watched))

    async def _first_listing(self) -> None:
        try:
            await self._resync.first()
        except Exception as error:  # that the API server is away is waited out; this is for good
            raise KubeError(0, "Listing", f"the cluster cannot be listed: {error!r}") from error

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        register(registry, self._world.cache, self._look_at)
        if self._world.sees_nodes:
            register_nodes(registry, self._world.nodes, self._look_at_awake)
            register_node_labels(registry, self._node_labels, lambda: self._leadership.leads)
        return registry

    def _parts(self) -> list[Coroutine[Any, Any, None]]:
        """What every replica does, so that a standby knows all that a leader must know."""
        settings = self._settings
        mirror = GatewayPods(self._subscriptions.follow)
        parts = [
            run_kopf(self._registry(), KopfSettings(settings.watch_namespace, self._resync.soon)),
            self._resync.run(),
            self._slo_watch.run(),
            self._world.territory.run(self._look_at_all),
            Reflector(self._client, gateway_pods(settings.namespace), mirror).run(),
        ]
        if settings.webhook_config is not None:
            parts.append(
                run_webhook(
                    self._client, self._webhook_settings(settings.webhook_config), Admission(self._world)
                )
            )
        return parts

    def _leaders_parts(self) -> list[Coroutine[Any, Any, None]]:
        parts = [
            self._runner.run(self._settings.workers),
            self._events.run(),
            self._evidence.run(),
            self._starts.run(),
        ]
        return [*parts, self._node_labels.run()] if self._world.sees_nodes else parts

    async def _act(self) -> None:
        """What the leader alone does: first of all it looks at every service."""
        self._resync.soon()  # what the last leader wrote may not have come by a watch yet
        self._look_at_all()
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._leaders_parts():
                    group.create_task(part)
        finally:
            self._queue.close()

    def _webhook_settings(self, configuration: str) -> WebhookSettings:
        settings = self._settings
        return WebhookSettings(
            tls=TlsNames(settings.namespace, webhook_configuration=configuration),
            acts=lambda: self._leadership.leads,
            host=settings.host or None,
            port=settings.webhook_port,
        )

    def _demand_changed(self, key: ServiceKey | None) -> None:
        """Look at a service again; at all that are awake where it is not known which."""
        if key is None:
            self._look_at_awake()
        else:
            self._look_at(key)

    async def _node_told(self, node: str, exclusive: bool, since: float) -> None:
        """A worker told what its node gives; an installation for one namespace labels none."""
        if self._world.sees_nodes:
            await self._node_labels.worker_told(node, exclusive, since)

    def _look_at_awake(self) -> None:
        if self._leadership.acts:
            for key in self._awake():
                self._queue.add(key)

    def _look_at(self, key: ServiceKey) -> None:
        """Who does not act looks at all of them when it does."""
        if self._leadership.acts:
            self._queue.add(key)

    def _look_at_all(self) -> None:
        for key in self._world.cache.service_keys():
            self._look_at(key)

    def _awake(self) -> list[ServiceKey]:
        cache = self._world.cache
        deployments = (
            (key, cache.get(Kind.DEPLOYMENT, key.namespace, worker_deployment(key.name)))
            for key in cache.service_keys()
        )
        return [key for key, deployment in deployments if deployment and deployment["spec"].get("replicas")]


def _stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set the event; outside the main thread signals are somebody else's business."""
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
