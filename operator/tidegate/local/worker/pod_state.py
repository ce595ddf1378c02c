"""One worker from its creation to its end, as a value: what is known of it, what each event makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.domain.loose import Json
from tidegate.domain.reasons import Reason
from tidegate.domain.service import ServiceKey
from tidegate.local.worker.crash_backoff import Backoff
from tidegate.local.worker.template import WorkerTemplate

CREATING = "ContainerCreating"


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What of a template may be written to disk: not its command and its environment, which hold secrets."""

    key: ServiceKey
    hash: str
    resources: Json
    cores: int
    memory: int
    devices: int
    device_resource: str
    exclusive: bool
    readiness_path: str
    startup_deadline: float
    grace_seconds: float
    runtime: str
    image: str


def spec_of(template: WorkerTemplate) -> WorkerSpec:
    """The part of a template that is remembered."""
    return WorkerSpec(
        key=template.key,
        hash=template.hash,
        resources=dict(template.resources),
        cores=template.cores,
        memory=template.memory,
        devices=template.devices,
        device_resource=template.device_resource,
        exclusive=template.exclusive,
        readiness_path=template.readiness_path,
        startup_deadline=template.startup_deadline,
        grace_seconds=template.grace_seconds,
        runtime=template.runtime,
        image=template.image,
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """What a worker was given, and when. ``cores``: empty where it shares those that nobody has to itself.

    ``cores_by`` and ``memory_by``: cgroup, affinity, or empty where nothing holds it to them.
    """

    since: float
    cores: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()
    host: str = ""  # its address; empty while none is free
    cores_by: str = ""
    memory_by: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that no other is taken for: ``ticks`` is its start since the machine's, ``boot`` which one.

    ``since``: Unix time of its start. ``oom_kills``: those of its group before it began. ``groups``: the
    folders of its control groups.
    """

    pid: int
    ticks: int
    boot: str
    since: float
    oom_kills: int = 0
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended; ``code`` is 128 + n after signal n, None where nobody could see it."""

    began: float
    finished: float
    code: int | None
    reason: str  # Completed | Error | OOMKilled
    message: str


@dataclass(frozen=True, slots=True)
class PodState:
    """Times are Unix seconds. ``ready_changed``: when it last became ready or ceased to be."""

    spec: WorkerSpec
    name: str
    uid: str
    created: float
    boot: str
    refusal: str = ""  # why it has no cores yet
    placement: Placement | None = None
    process: Process | None = None
    ready: bool = False
    started: bool = False  # this process has answered once
    ready_changed: float = 0.0
    restarts: int = 0
    waiting: str = CREATING
    waiting_message: str = ""
    last_end: End | None = None
    backoff: Backoff = Backoff()  # noqa: RUF009  a frozen value
    gone_by: float | None = None  # it is deleted, and ended then at the latest
    failed: bool = False  # it never runs again

    def refused(self, sentence: str) -> PodState:
        """There is no room for it yet."""
        return replace(self, refusal=sentence)

    def placed(self, placement: Placement) -> PodState:
        """It has cores, devices and, where one was free, an address."""
        return replace(self, placement=placement, refusal="")

    def waits(self, reason: str, message: str = "") -> PodState:
        """Its process does not run, and why."""
        return replace(self, waiting=reason, waiting_message=message)

    def begun(self, process: Process) -> PodState:
        """Its process runs; it is another incarnation where one has ended before."""
        again = self.restarts + (self.last_end is not None)
        return replace(self, process=process, restarts=again, waiting="", waiting_message="")

    def answers(self, ready: bool, now: float) -> PodState:
        """What its probes say."""
        if ready == self.ready:
            return self
        return replace(self, ready=ready, started=self.started or ready, ready_changed=now)

    def ended(self, end: End) -> PodState:
        """Its process and all that belonged to it are gone; it begins anew after the pause of ``backoff``."""
        healthy = end.finished - self.ready_changed if self.ready else 0.0
        backoff = self.backoff.after(healthy)
        ended = replace(self.answers(False, end.finished), process=None, started=False)
        return replace(ended, last_end=end, backoff=backoff).waits(*_pause(self, backoff))

    def deleted(self, now: float) -> PodState:
        """It is to go; a second deletion changes nothing."""
        return self if self.gone_by is not None else replace(self, gone_by=now + self.spec.grace_seconds)

    def given_up(self) -> PodState:
        """It never runs again, and holds nothing."""
        return replace(self, failed=True, ready=False, started=False, process=None, placement=None)

    @property
    def holds(self) -> bool:
        """Whether cores, memory and devices are its."""
        return self.placement is not None


def made(template: WorkerTemplate, name: str, uid: str, boot: str, now: float) -> PodState:
    """A new one, which has nothing yet."""
    return PodState(spec=spec_of(template), name=name, uid=uid, created=now, boot=boot, ready_changed=now)


def _pause(state: PodState, backoff: Backoff) -> tuple[str, str]:
    if not backoff.pause:
        return CREATING, ""
    told = f"back-off {backoff.pause:g}s restarting failed container=engine pod={state.name}"
    return Reason.CRASH_LOOP.value, told
