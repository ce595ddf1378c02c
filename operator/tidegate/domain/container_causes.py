"""Why a container does not run: what the kubelet waits for, or how it ended."""

from __future__ import annotations

import re
import signal
from dataclasses import replace

from tidegate.domain.cause import MAX_MESSAGE, Cause, sentence, word
from tidegate.domain.loose import Json, mapping, text, whole
from tidegate.domain.pod_containers import CACHE, ENGINE
from tidegate.domain.reasons import Reason
from tidegate.domain.timestamps import from_timestamp

_ENGINE_LINE = re.compile(r"([A-Z][A-Za-z0-9]{2,62}): (\S.*)", re.ASCII)
_WAITING_IS_NORMAL = ("", "ContainerCreating", "PodInitializing")
_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff")
# The kubelet says the same with and without this in turn, which would rewrite the status each time.
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: ErrImagePull)?:? ?')
_TOLD_TO_STOP = (0, 128 + signal.SIGTERM, 128 + signal.SIGKILL)
_LATENESS = 60.0  # seconds for a probe that hangs, and for a runtime to end a container
_SOURCE_PORT = re.compile(r":\d+->")  # as in "read udp 10.0.0.5:41234->10.96.0.10:53": another one each time
_MISSING = re.compile(r'(secret|configmap) "([^"]+)" not found')
_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}


def container_cause(
    container: Json, startup_deadline: float, *, init: bool = False, grace: float = 0.0
) -> Cause | None:
    """Why this container is not ready, None where nothing is wrong.

    ``startup_deadline`` and ``grace``, in seconds: when its kubelet ends a start, and how long that may take.
    """
    state = mapping(container.get("state"))
    if container.get("ready") or (container.get("started") and "running" in state):
        return None  # its start has succeeded: readiness that is lost for a moment is no failed start
    end = _End(container, startup_deadline, init=init, grace=grace)
    if "terminated" in state:
        return end.cause(mapping(state["terminated"]))
    waiting = mapping(state.get("waiting"))
    reason = text(waiting.get("reason"))
    if reason not in (*_WAITING_IS_NORMAL, Reason.CRASH_LOOP):
        return _waiting_cause(waiting)
    last = mapping(mapping(container.get("lastState")).get("terminated"))
    backs_off = reason == Reason.CRASH_LOOP
    if last:  # unless it backs off it starts again, and has its startup deadline for it
        return replace(end.cause(last), failure=backs_off)
    return Cause(reason, f"{end.who} ends again and again") if backs_off else None


def _waiting_cause(waiting: Json) -> Cause:
    reason = word(waiting.get("reason"), Reason.CONTAINER_WAITING)
    told = sentence(waiting.get("message"), reason)
    if reason in _IMAGE_REASONS:
        told = _SOURCE_PORT.sub("->", _BACK_OFF.sub("", told)) or "the image cannot be pulled"
        return Cause(Reason.IMAGE_PULL, told)
    if missing := _MISSING.fullmatch(told):
        told = f"the {_KINDS[missing[1]]} {missing[2]} does not exist in the namespace"
    return Cause(reason, told)


class _End:
    """The end of a container that was meant to run on."""

    def __init__(self, container: Json, startup_deadline: float, *, init: bool, grace: float) -> None:
        name = text(container.get("name"))
        self._is_engine = not init and name in (ENGINE, "")
        self._init = init
        self._names_its_cause = self._is_engine or (init and name == CACHE)
        self._deadline = startup_deadline
        self._latest = startup_deadline + grace + _LATENESS
        self.who = "the engine" if self._is_engine else f"the {'init ' if init else ''}container {name}"

    def cause(self, terminated: Json) -> Cause:
        """From the kubelet's record of the end, and the last line that the container left."""
        said = _last_line(terminated.get("message"))
        line = _ENGINE_LINE.fullmatch(said) if self._names_its_cause else None
        if terminated.get("reason") == Reason.OOM_KILLED and not (line and line[1] == Reason.OOM_KILLED):
            limit = "resources.memory" if self._is_engine else "its limit"
            return Cause(
                Reason.OOM_KILLED, f"{self.who} needed more memory than {limit}; the kernel killed it"
            )
        if line:
            return Cause(line[1], line[2][:MAX_MESSAGE])
        if self._is_engine and self._was_late(terminated):
            late = f"not ready within {self._deadline:g} s (startupDeadlineSeconds)"
            return Cause(Reason.STARTUP_DEADLINE, f"{late}; {said}"[:MAX_MESSAGE] if said else late)
        return self._exit(terminated, said)

    def _was_late(self, terminated: Json) -> bool:
        """Its startup probe ended it: by SIGTERM at the deadline, and by SIGKILL when the grace was over.

        Any other signal is its own, and one that ends it hours later is no late start.
        """
        in_time = self._deadline <= _ran_for(terminated) <= self._latest
        return in_time and terminated.get("exitCode") in _TOLD_TO_STOP

    def _exit(self, terminated: Json, said: str) -> Cause:
        reason, code = word(terminated.get("reason"), "Error"), terminated.get("exitCode", "unknown")
        number = _signal(terminated)
        head = f"{self.who} was ended by {number}" if number else f"{self.who} ended with exit code {code}"
        name = self._reasons(killed=bool(number)).get(reason, reason)
        return Cause(name, f"{head}: {said}"[:MAX_MESSAGE] if said else head)

    def _reasons(self, *, killed: bool) -> dict[str, str]:
        if self._is_engine:
            failed = Reason.ENGINE_KILLED if killed else Reason.ENGINE_FAILED
            return {"Error": failed, "Completed": Reason.ENGINE_EXITED}
        failed = Reason.INIT_CONTAINER_FAILED if self._init else Reason.CONTAINER_FAILED
        return {"Error": failed, "Completed": failed}


def _signal(terminated: Json) -> str:
    """``signal 11 (SIGSEGV)``; a runtime says it as 128 + 11, or in a field of its own. Empty: none did."""
    code = whole(terminated.get("exitCode"))
    number = whole(terminated.get("signal")) or (code - 128 if 128 < code <= 128 + 64 else 0)
    try:
        return f"signal {number} ({signal.Signals(number).name})" if number else ""
    except ValueError:
        return f"signal {number}"


def _ran_for(terminated: Json) -> float:
    """Seconds; a container ended by its startup probe ran for at least the deadline.

    One that never began has the year 1970 as its beginning.
    """
    begin, end = from_timestamp(terminated.get("startedAt")), from_timestamp(terminated.get("finishedAt"))
    return end - begin if begin and end else 0.0


def _last_line(value: object) -> str:
    lines = [line.strip() for line in text(value).splitlines() if line.strip()]
    return lines[-1] if lines else ""
