"""What the machine's part is told when it is made."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.domain.service import ServiceKey
from tidegate.local.machine.placing import Machine
from tidegate.resources.names import WORKER_ISOLATION_PORT, WORKER_PORT

LOG_BYTES = 16 * 1024 * 1024


def _environment() -> Mapping[str, str]:
    return dict(os.environ)


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """``changed``: a pod of this service is new, changed or gone; called on the event loop.

    ``environment``: what workers get besides their template's. ``machine``: what there is for workers; None:
    what this process may use. ``cgroups``: whether to make any, where this user may. ``log_bytes``: of one
    worker's output, before what is older goes. ``worker_files``: the files that a worker may have open at
    first, its soft limit; None: as many as this process.
    """

    state: Path
    changed: Callable[[ServiceKey], None]
    environment: Mapping[str, str] = field(default_factory=_environment)
    machine: Machine | None = None
    cgroups: bool = True
    port: int = WORKER_PORT
    isolation_port: int = WORKER_ISOLATION_PORT
    log_bytes: int = LOG_BYTES
    worker_files: int | None = None
    now: Callable[[], float] = time.time
    chance: random.Random = field(default_factory=random.SystemRandom)
