"""GET /metrics: what /isolation and /start tell, and the memory, in Prometheus' text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .cgroups import cgroup_folders, first_text
from .cores import count_oom_kills, read_memory

PREFIX = "tidegate_worker_"
MICROSECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without the prefix, its kind, what it is, and samples by their labels."""

    name: str
    kind: str
    help: str
    samples: Mapping[str, float]


def metrics_text(
    evidence: Mapping[str, object], start: Mapping[str, object], memory: Mapping[str, int]
) -> str:
    """The whole answer; what is not known is left out."""
    families = [*_cpu(evidence), *_memory(memory), _start(start)]
    return "".join(_written(family) for family in families if family.samples)


def read_memory_figures(root: Path = Path("/")) -> dict[str, int]:
    """Bytes of the container's cgroup, as far as they are told: in use (page cache included), and the limit;
    and how many of its processes were killed at that limit."""
    folders = cgroup_folders(root)["memory"]
    used = first_text(folders[:1], "memory.current", "memory.usage_in_bytes")
    limit = read_memory(folders)
    return {
        **({"used": int(used)} if used.isdecimal() else {}),
        **({"limit": limit} if limit is not None else {}),
        "kills": count_oom_kills(root),
    }


def _cpu(evidence: Mapping[str, object]) -> Iterable[Family]:
    names = {"container": "containerCpus", "engine": "engineCpus", "node": "nodeCpus"}
    labels = ",".join(f'{label}="{evidence[name] or ""}"' for label, name in names.items())
    cores = "Cores that the container may use."
    yield Family(
        "cpuset_info", "gauge", "Lists of cores: the container's, the engine's, the node's.", {labels: 1}
    )
    yield _of("cpuset_cores", "gauge", cores, evidence["containerCores"])
    yield _of("cpu_quota_cores", "gauge", "CFS quota in cores; absent without one.", evidence["quotaCores"])
    yield _of("cfs_periods_total", "counter", "Periods of the quota that have gone by.", evidence["periods"])
    throttled = "Periods in which the quota stopped the container."
    yield _of("cfs_throttled_periods_total", "counter", throttled, evidence["throttledPeriods"])
    stopped = "Time for which the quota stopped the container's cores, summed over them."
    yield _of(
        "cfs_throttled_seconds_total", "counter", stopped, evidence["throttledMicroseconds"], MICROSECONDS
    )
    waited = "Time for which the engine's threads were ready to run and had no core, summed over them."
    delay = evidence["runQueueDelayMicroseconds"]
    yield _of("run_queue_delay_seconds_total", "counter", waited, delay, MICROSECONDS)
    used = "Processor time that the container has used."
    yield _of("cpu_seconds_total", "counter", used, evidence["usedMicroseconds"], MICROSECONDS)
    busy = "Processor time that was used on the container's cores, by whomever, since the machine's start."
    yield _of("cores_busy_seconds_total", "counter", busy, evidence["coresBusyMicroseconds"], MICROSECONDS)


def _memory(memory: Mapping[str, int]) -> Iterable[Family]:
    yield _of("memory_bytes", "gauge", "Memory of the container, page cache included.", memory.get("used"))
    yield _of("memory_limit_bytes", "gauge", "The container's memory limit.", memory.get("limit"))
    killed = "Processes of the container that were killed at its memory limit."
    yield _of("oom_kills_total", "counter", killed, memory.get("kills"))


def _start(start: Mapping[str, object]) -> Family:
    parts = start.get("parts")
    seconds = parts if isinstance(parts, Mapping) else {}
    samples = {f'part="{part}"': float(value) for part, value in seconds.items()}
    return Family("start_seconds", "gauge", "What the start was spent on; a part that is over.", samples)


def _of(name: str, kind: str, about: str, value: object, scale: float = 1) -> Family:
    """A metric without labels; without a sample where the value is not known."""
    known = isinstance(value, int | float)
    return Family(name, kind, about, {"": value * scale} if known else {})  # type: ignore[operator]


def _written(family: Family) -> str:
    name = PREFIX + family.name
    head = f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"
    rows = (
        f"{name}{{{labels}}} {value:.10g}\n" if labels else f"{name} {value:.10g}\n"
        for labels, value in family.samples.items()
    )
    return head + "".join(rows)
