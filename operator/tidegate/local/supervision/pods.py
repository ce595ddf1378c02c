"""What a supervisor asks of the machine that runs its workers: the part of a kubelet that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.local.worker.template import WorkerTemplate


class Pods(Protocol):
    """Workers as pods: each is told as a kubelet tells a pod, so that whoever reads pods reads these.

    A pod that ended is begun again, with a pause that grows, until it is deleted; one without cores or
    devices waits for them as Unschedulable. All are called on the event loop, return at once, raise nothing.
    """

    def know(self, template: WorkerTemplate) -> None:
        """What pods that a predecessor left, of this service and hash, are started from should they end.

        One that ends before that is Failed, and whoever made it makes another.
        """
        ...

    def create(self, template: WorkerTemplate) -> str:
        """A new pod of this template, and its name."""
        ...

    def delete(self, namespace: str, name: str) -> None:
        """Ends it: SIGTERM, its grace, SIGKILL for what is left of its group; then it is gone from ``of``."""
        ...

    def of(self, key: ServiceKey) -> Sequence[Json]:
        """The pods of a service as documents, oldest first; each is replaced, never edited."""
        ...

    def keys(self) -> Sequence[ServiceKey]:
        """The services that have pods, also those that a predecessor left."""
        ...

    def log(self, namespace: str, name: str) -> Path | None:
        """The file that its output goes to; None: there is no such pod."""
        ...
