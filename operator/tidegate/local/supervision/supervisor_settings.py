"""What a supervisor is told."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.fitting import NodeSize
from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.local.aside import Aside, aside
from tidegate.local.manifests.manifest import Secret
from tidegate.local.manifests.manifest_files import REMOVAL_SECONDS
from tidegate.local.supervision.records import Put, at_once
from tidegate.local.worker.template import WorkerTemplate


@dataclass(frozen=True)
class SupervisorSettings:
    """``manifests``: files, folders, or ``-`` for stdin. ``state``: the folder that outlives the process.

    ``build``: a service and the Secrets of its namespace by name → its worker; ValueError names a field.
    ``demand``: a gateway's lines. ``http``: to the workers. ``url_base``: where clients reach the gateway.
    ``told``: a service's object before and after a change; ``{}`` before it was there and when it is gone.
    ``busy``: whether requests wait or run in the gateway at this moment. ``counts``: what it has counted of a
    service, for its targets, None: nobody tells. ``size``: of this machine. ``defaults``: fills in what a
    manifest leaves open. ``now``: Unix time. ``poll_seconds``: between two looks at the files.
    ``removal_seconds``: how long a file must have been gone, or without a service, to end it. ``aside``: does
    what waits for a disk. ``put``: how what outlives the process is written, see Records.
    """

    manifests: Sequence[str | Path]
    state: Path
    build: Callable[[InferenceService, Mapping[str, Secret]], WorkerTemplate]
    demand: Callable[[], AsyncIterator[bytes]]
    http: httpx.AsyncClient
    url_base: str = "http://127.0.0.1:8080"
    told: Callable[[Json, Json], None] = lambda _before, _after: None
    busy: Callable[[ServiceKey], bool] = lambda _: False
    counts: Callable[[ServiceKey], object] | None = None
    size: NodeSize | None = None
    defaults: Callable[[Json], Json] = lambda document: document
    default_max_depth: int = DEFAULT_MAX_DEPTH
    now: Callable[[], float] = time.time
    poll_seconds: float = 0.5
    removal_seconds: float = REMOVAL_SECONDS
    aside: Aside = aside
    new_uid: Callable[[], str] = lambda: str(uuid.uuid4())
    jitter: Callable[[float, float], float] = random.uniform
    put: Put = at_once
