"""What is tried: ways to run the worker, kinds of noise, and the cases made of both. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Workload = Literal["unary", "chat", "embeddings"]
WORKLOADS: tuple[Workload, ...] = ("unary", "chat", "embeddings")
DEFAULT_NODE, STATIC_NODE = "node-1", "node-2"  # of mode two-policies
NUMBERS = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Placement:
    """How the worker's pod asks for its cores. ``threads``: OMP_NUM_THREADS; None leaves it to the worker."""

    name: str
    node: str
    request: str
    limit: str | None
    threads: int | None = None


@dataclass(frozen=True)
class Noise:
    """So many pods of one kind; ``kind`` is a key of noise_commands (manifests), empty for silence."""

    kind: str = ""
    pods: int = 0

    @property
    def name(self) -> str:
        """As it stands in the results: ``captcha x5``."""
        return f"{self.kind} x{self.pods}" if self.pods else "none"


@dataclass(frozen=True)
class Scene:
    """One noise on one node, and who is measured beside it, one after another."""

    case: int
    node: str
    noise: Noise
    placements: tuple[Placement, ...]
    replicas: int = 1


SILENCE = Noise()
CAPTCHA, INT32, MEMORY, FORKS, NEIGHBOURS = "captcha", "int32", "memory", "forks", "inference"
KINDS = (CAPTCHA, INT32, MEMORY, FORKS)
FEW, MANY, REPLICAS = 2, 5, 5
BURSTABLE, GUARANTEED, UNLIMITED = "burstable", "guaranteed", "no limits"
STATIC, STATIC_HOST, STATIC_FIT = "static", "static, host's threads", "static, threads that fit"
MOVED = "burstable, moved"
WORKERS = (BURSTABLE, GUARANTEED, UNLIMITED, STATIC, STATIC_HOST, STATIC_FIT, MOVED)


def placements(workload: Workload, host_cores: int) -> dict[str, Placement]:
    """By name. Without exclusive cores the unary worker has a thread for each core of the host."""
    shared = host_cores if workload == "unary" else None
    found = (
        Placement(BURSTABLE, DEFAULT_NODE, "250m", "1", shared),
        Placement(GUARANTEED, DEFAULT_NODE, "1", "1", shared),
        Placement(UNLIMITED, DEFAULT_NODE, "250m", None, shared),
        Placement(STATIC, STATIC_NODE, "1", "1"),
        Placement(STATIC_HOST, STATIC_NODE, "1", "1", host_cores),
        Placement(STATIC_FIT, STATIC_NODE, "1", "1", 1),
        Placement(MOVED, STATIC_NODE, "250m", "1", shared),
    )
    return {placement.name: placement for placement in found}


def scenes(workload: Workload, host_cores: int, cases: Sequence[int] = NUMBERS) -> list[Scene]:
    """The scenes of one round in their order, those of the chosen cases.

    Whoever is beside noise is measured alone as well, for comparison, so case 1 is always among them.
    """
    by_name = placements(workload, host_cores)
    everything = (
        *_beside_noise(workload, by_name),
        *_with_cores_of_its_own(workload, by_name),
        *_elsewhere(workload, by_name),
    )
    return [scene for scene in everything if scene.case in {1, *cases}]


def _beside_noise(workload: Workload, by_name: dict[str, Placement]) -> Iterator[Scene]:
    """Cases 1 to 4 on a node with the kubelet's default policy."""
    first = by_name[BURSTABLE]
    every = (first, by_name[GUARANTEED], by_name[UNLIMITED])
    yield Scene(1, DEFAULT_NODE, SILENCE, every)
    yield Scene(2, DEFAULT_NODE, Noise(CAPTCHA, FEW), (first,))
    yield Scene(3, DEFAULT_NODE, Noise(CAPTCHA, MANY), every)
    if workload != "embeddings":
        yield Scene(3, DEFAULT_NODE, Noise(INT32, MANY), every)
        yield Scene(3, DEFAULT_NODE, Noise(MEMORY, MANY), (first,))
        yield Scene(3, DEFAULT_NODE, Noise(FORKS, MANY), (first,))
    yield Scene(4, DEFAULT_NODE, SILENCE, (first,))


def _with_cores_of_its_own(workload: Workload, by_name: dict[str, Placement]) -> Iterator[Scene]:
    """The cures of case 3 on a static node, and the same without noise, for comparison.

    The unary worker takes its threads with each request; vLLM's entrypoint chooses those that fit by itself,
    and needs a pod of its own for other ones.
    """
    own, host, fit = (by_name[name] for name in (STATIC, STATIC_HOST, STATIC_FIT))
    together = (own, host, fit) if workload == "unary" else (own,)
    yield Scene(1, STATIC_NODE, SILENCE, together)
    for kind in KINDS:
        yield Scene(3, STATIC_NODE, Noise(kind, MANY), together)
    if workload != "unary":
        yield Scene(1, STATIC_NODE, SILENCE, (host,))
        yield Scene(3, STATIC_NODE, Noise(CAPTCHA, MANY), (host,))


def _elsewhere(workload: Workload, by_name: dict[str, Placement]) -> Iterator[Scene]:
    """Cases 5 and 6, of the workload that the report had."""
    if workload == "unary":
        yield Scene(5, DEFAULT_NODE, SILENCE, (by_name[BURSTABLE],), REPLICAS)
        yield Scene(6, STATIC_NODE, Noise(NEIGHBOURS, MANY), (by_name[MOVED],))


def only(found: Sequence[Scene], names: Sequence[str] | None) -> list[Scene]:
    """The scenes with the placements of these names alone; None: all."""
    if not names:
        return list(found)
    kept = [
        replace(scene, placements=tuple(each for each in scene.placements if each.name in names))
        for scene in found
    ]
    return [scene for scene in kept if scene.placements]


def turned(items: Sequence[Placement], number: int) -> list[Placement]:
    """The same, beginning elsewhere in each round, so that no place in the order is always one's own."""
    at = number % len(items)
    return [*items[at:], *items[:at]]
