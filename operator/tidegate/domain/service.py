"""What a gateway must know of an InferenceService and of its workers, on any substrate."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.domain.degradation import Degradation


@dataclass(frozen=True, slots=True, order=True)
class ServiceKey:
    """The identity of an InferenceService: namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> ServiceKey:
        """The key written as ``namespace/name``; ValueError for any other form."""
        namespace, slash, name = text.partition("/")
        if not (namespace and slash and name) or "/" in name:
            raise ValueError(f"{text!r} is not of the form namespace/name")
        return cls(namespace, name)


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """The part of a service's spec that its data path obeys, every default filled in.

    Durations are seconds, sizes bytes. ``retry_after_seconds`` None means computed.
    """

    key: ServiceKey
    created: float  # Unix time; the oldest holder of a bare served name gets it
    served_names: tuple[str, ...]
    max_concurrency: int = 32
    readiness_path: str = "/v1/models"
    max_depth: int = 128
    max_bytes: int = 64 * 1024 * 1024
    wait_timeout_seconds: float = 120
    cold_start_timeout_seconds: float = 300
    execution_timeout_seconds: float = 300
    retry_after_seconds: int | None = None
    suspended: bool = False
    wakes: bool = True  # False: others set the number of workers, so a request at zero is only held
    prefix_affinity: bool = False  # prompts that begin alike go to the same worker
    retry_unstarted: bool = True  # a request whose answer has not begun may be sent to another worker
    backoff_until: float = (
        0.0  # Unix time: nobody is woken before it, kubelets have rejected the last workers
    )
    degradation: Degradation | None = None  # None: answers are as long as requests ask for


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker as its substrate sees it.

    ``incarnation`` changes when the process behind the address was replaced (a container's
    restart), so that a probe's result is never credited to its successor. ``ready`` is the
    substrate's own verdict; the gateway probes those that are not ready by itself.
    ``stage`` is how far the start has come: ``created``, ``scheduled``, ``started``. ``name``: for people.
    """

    uid: str
    incarnation: int
    host: str  # empty while it has no address
    port: int
    ready: bool
    terminating: bool
    stage: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """An immutable snapshot of one service: swapped whole, never edited.

    ``hold_up``: why it has no worker that is ready, where its substrate says so; ``next_start``: the Unix
    time of the next try to start one, 0 where none is set. For whoever waited in vain.
    """

    config: ServiceConfig
    workers: tuple[Worker, ...] = ()
    hold_up: str = ""
    next_start: float = 0.0
