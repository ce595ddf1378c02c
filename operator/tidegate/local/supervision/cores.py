"""What is said of the cores of this machine's workers: by their own evidence, and by what they were given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from tidegate.domain.isolation import STATIC, NodePolicy, Verdict
from tidegate.domain.loose import Json, mapping, text
from tidegate.domain.workers import WorkerFacts
from tidegate.local.worker.pod_document import BY_AFFINITY, BY_CGROUP, CORES_BY_ANNOTATION

_SAID: Final = {
    BY_CGROUP: "given by a cpuset, which no other worker is in",
    BY_AFFINITY: "given by affinity: no other worker runs there, programs beside tidegate may",
}


def label(_: str) -> NodePolicy:
    """This machine gives whole cores to those that ask for them, as a kubelet with the static policy does."""
    return NodePolicy(STATIC)


def with_cores(workers: Iterable[WorkerFacts], pods: Sequence[Json]) -> tuple[WorkerFacts, ...]:
    """Those that were given cores of their own count as Guaranteed here: the class is about memory too, which
    an ordinary user's process cannot be held to."""
    given = {text(pod["metadata"].get("uid")) for pod in pods if _by(pod)}
    return tuple(replace(each, guaranteed=each.guaranteed or each.uid in given) for each in workers)


def said_by(verdict: Verdict | None, pods: Sequence[Json]) -> Verdict | None:
    """The verdict with what gave the cores, where it is about cores that a worker has."""
    ways = sorted({by for pod in pods if (by := _by(pod)) in _SAID})
    if verdict is None or verdict.status == "Unknown" or not ways:
        return verdict
    more = "; ".join(_SAID[way] for way in ways)
    return verdict if more in verdict.message else replace(verdict, message=f"{verdict.message}; {more}")


def _by(pod: Json) -> str:
    return text(mapping(pod["metadata"].get("annotations")).get(CORES_BY_ANNOTATION))
