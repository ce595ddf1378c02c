"""Why a worker is not ready, from its pod's status: what the scheduler, the kubelet and the engine said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidegate.domain.timestamps import from_timestamp

Json = Mapping[str, Any]

_ENGINE_LINE = re.compile(r"([A-Z][A-Za-z0-9]{2,62}): (\S.*)", re.ASCII)
_INSUFFICIENT = re.compile(r"Insufficient ([^\s,]+?)[.,]?(?=\s|$)", re.ASCII)
_MAX_MESSAGE = 1000  # characters; a condition is read by people

_IMAGE_REASONS = {"ErrImagePull": "ImagePullBackOff", "ImagePullBackOff": "ImagePullBackOff"}
_WAITING_IS_NORMAL = ("", "ContainerCreating", "PodInitializing")


@dataclass(frozen=True, slots=True)
class Cause:
    """One word and one sentence. ``failure``: it will not get better by waiting for the start to go on."""

    reason: str
    message: str
    failure: bool = True


def cause_of(pod: Json, startup_deadline: float) -> Cause | None:
    """Why this pod is not ready, None where nothing is wrong; ``startup_deadline`` in seconds."""
    status: Json = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return Cause(
            _word(status.get("reason"), "PodFailed"),
            _sentence(status.get("message"), "the pod failed"),
        )
    scheduling = _condition(status, "PodScheduled")
    if scheduling.get("status") == "False":
        return _scheduling_cause(scheduling)
    causes = (_container_cause(container, startup_deadline) for container in _containers(status))
    return next((cause for cause in causes if cause), None)


def replica_failure(deployment: Json) -> Cause | None:
    """Why the Deployment cannot even make its pods: a quota, a policy, an admission webhook."""
    condition = _condition(deployment.get("status") or {}, "ReplicaFailure")
    if condition.get("status") != "True":
        return None
    message = _sentence(condition.get("message"), "pods cannot be created")
    reason = (
        "QuotaExceeded" if "exceeded quota" in message else _word(condition.get("reason"), "FailedCreate")
    )
    return Cause(reason, message)


def _scheduling_cause(condition: Json) -> Cause:
    said = _sentence(condition.get("message"), "no node was found").split(" preemption:")[0]
    missing = sorted(set(_INSUFFICIENT.findall(said)))
    head = f"no node has enough {' and '.join(missing)} left: " if missing else ""
    return Cause(_word(condition.get("reason"), "Unschedulable"), head + said, failure=False)


def _containers(status: Json) -> Iterator[Json]:
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _container_cause(container: Json, startup_deadline: float) -> Cause | None:
    state: Json = container.get("state") or {}
    if container.get("ready") or (container.get("started") and "running" in state):
        return None  # its start has succeeded: readiness that is lost for a moment is no failed start
    if "terminated" in state:
        return _ended(state["terminated"], startup_deadline)
    waiting: Json = state.get("waiting") or {}
    if waiting.get("reason", "") not in (*_WAITING_IS_NORMAL, "CrashLoopBackOff"):
        return _waiting_cause(waiting)
    last: Json = (container.get("lastState") or {}).get("terminated") or {}
    backs_off = waiting.get("reason") == "CrashLoopBackOff"
    if last:  # unless it backs off it starts again, and has its startup deadline for it
        return replace(_ended(last, startup_deadline), failure=backs_off)
    return _waiting_cause(waiting) if backs_off else None


def _waiting_cause(waiting: Json) -> Cause:
    reason = _word(waiting.get("reason"), "ContainerWaiting")
    return Cause(_IMAGE_REASONS.get(reason, reason), _sentence(waiting.get("message"), reason))


def _ended(terminated: Json, startup_deadline: float) -> Cause:
    """The end of a container that was meant to run on."""
    if terminated.get("reason") == "OOMKilled":
        return Cause("OOMKilled", "the engine needed more memory than resources.memory; the kernel killed it")
    said = _last_line(terminated.get("message"))
    if line := _ENGINE_LINE.fullmatch(said):
        return Cause(line[1], line[2][:_MAX_MESSAGE])
    if _ran_for(terminated) >= startup_deadline:
        return Cause(
            "StartupDeadlineExceeded", f"not ready within {startup_deadline:g} s (startupDeadlineSeconds)"
        )
    return _exit_cause(terminated, said)


def _exit_cause(terminated: Json, said: str) -> Cause:
    reason = _word(terminated.get("reason"), "Error")
    name = {"Error": "EngineFailed", "Completed": "EngineExited"}.get(reason, reason)
    head = f"the engine ended with exit code {terminated.get('exitCode', 'unknown')}"
    return Cause(name, f"{head}: {said}"[:_MAX_MESSAGE] if said else head)


def _ran_for(terminated: Json) -> float:
    """Seconds; a container ended by its startup probe ran for at least the deadline."""
    begin, end = from_timestamp(terminated.get("startedAt")), from_timestamp(terminated.get("finishedAt"))
    return end - begin if begin is not None and end is not None else 0.0


def _condition(status: Json, kind: str) -> Json:
    found = (condition for condition in status.get("conditions") or [] if condition.get("type") == kind)
    return next(found, {})


def _last_line(text: object) -> str:
    lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _sentence(text: object, fallback: str) -> str:
    return " ".join(str(text or "").split())[:_MAX_MESSAGE] or fallback


def _word(text: object, fallback: str) -> str:
    """A reason as the API conventions want it: one CamelCase word."""
    word = re.sub(r"[^A-Za-z0-9]", "", str(text or ""))
    return word if word[:1].isalpha() else fallback
