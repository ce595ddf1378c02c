"""What a decision about the number of workers is made from, and what it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.domain.flapping import Flapping
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import Demand
from tidegate.domain.surplus import NeedHistory


@dataclass(frozen=True, slots=True)
class Load:
    """The gateways' demand, summed. ``silent``: not every gateway is heard, so this may be too little.
    ``leaving``: those in flight whose workers take nothing new, since they end."""

    waiting: int = 0
    in_flight: int = 0
    last_activity: float | None = None  # Unix time of the latest arrival or end; None: none is known
    silent: bool = False
    execution_seconds: float | None = None  # how long requests have run lately; None: none has ended
    leaving: int = 0

    @property
    def staying(self) -> Load:
        """What the workers that stay must do. A rollout or a node's drain under 24 streams needs one worker
        for the next 24, not two: the first 24 end where they are."""
        return replace(self, in_flight=self.in_flight - self.leaving, leaving=0) if self.leaving else self

    @property
    def depth(self) -> int:
        """Waiting + in flight."""
        return self.waiting + self.in_flight


@dataclass(frozen=True, slots=True)
class Counters:
    """What the workers' own counters tell; times are Unix seconds."""

    busy: bool
    first_asked: float  # since when these workers' counters are looked at
    last_busy: float | None = None  # the last look that showed work; None: none did
    complete: bool = True  # every ready worker answered


@dataclass(frozen=True, slots=True)
class Wanted:
    """The workers that demand asks for, the window over which it was looked at, and what was seen there."""

    workers: int
    window: str  # Instant, Backlog, Panic or Stable; see scale_up
    demand: Demand


@dataclass(frozen=True, slots=True)
class Pool:
    """The workers as they are."""

    replicas: int  # what the Deployment is told
    ready: int = 0
    loading: bool = False  # one is on its way, with nothing wrong
    ready_since: float | None = None  # of the worker that became ready last
    trying_since: float = 0.0  # creation of the newest worker that is not ready
    running: int = 0  # whose engine runs, ready or not
    rejected_until: float = 0.0  # kubelets have refused the last ones: nobody is started before this time
    needed: NeedHistory | None = None  # what the load needed lately; None: surplus is not looked at
    oldest: float = 0.0  # creation of the oldest worker; 0: not known
    start_seconds: float | None = None  # a start from zero usually takes; None: not known
    wanted: Wanted | None = None  # what demand asks for; None: what it needs at this moment

    @property
    def starting(self) -> int:
        """Workers that are to come, or on their way."""
        return max(0, self.replicas - self.ready)


@dataclass(frozen=True, slots=True)
class ScaleDecision:
    """``ask_counters``: sleep is due, decide again with the workers' counters, which have the last word.

    ``message``: a clause with its figures. ``needed``: what the metric asks for, None where it is not asked.
    """

    replicas: int
    reason: str
    message: str
    recheck_after: float | None = None  # seconds; None: only when a fact changes
    ask_counters: bool = False
    needed: int | None = None
    flapping: Flapping | None = None  # what is remembered of short sleeps; None: nothing
    window: str | None = None  # over which demand was looked at, where demand decided


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it at one moment; ``now``: Unix seconds."""

    bounds: Bounds
    pool: Pool
    load: Load
    counters: Counters | None
    now: float

    @property
    def staying(self) -> Facts:
        """With only the load that the workers which stay must do."""
        return replace(self, load=self.load.staying) if self.load.leaving else self

    def stay(self, reason: str, message: str, recheck_after: float | None = None) -> ScaleDecision:
        """As many as there are."""
        return ScaleDecision(self.pool.replicas, reason, message, recheck_after)
