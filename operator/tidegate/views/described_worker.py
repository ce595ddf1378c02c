"""One worker of this machine, as a person wants to see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidegate.domain.loose import Json, mapping, mappings, text, whole
from tidegate.domain.pod_containers import ENGINE
from tidegate.domain.pod_starts import next_start
from tidegate.domain.start_stage import Stage
from tidegate.domain.timestamps import from_timestamp
from tidegate.domain.workers import WorkerFacts
from tidegate.resources.names import GROUP, WORKER_PORT
from tidegate.views.ages import age

_BY: Final = {
    "cgroup": "nobody else's, by a cgroup",
    "affinity": "by affinity: others of this machine may use them too",
}
_STARTING: Final = {
    Stage.PENDING: "Pending: it waits for cores, memory or devices",
    Stage.LOADING: "Starting: the engine runs and has not loaded the model yet",
}


def described_worker(pod: Json, facts: WorkerFacts, log: str, now: float) -> list[tuple[str, str]]:
    """Names and values, empty ones among them; ``log``: the file of its output."""
    container = _engine(pod)
    noted = mapping(mapping(pod.get("metadata")).get("annotations"))
    at = next_start((pod,))
    again = f"; the next try in {age(at - now)}" if at is not None and at > now else ""
    restarts = f"{facts.restarts}{again}" if facts.restarts or again else ""
    return [
        ("State", _state(facts, now)),
        ("Made", f"{age(now - facts.created)} ago"),
        ("Address", f"{facts.host}:{WORKER_PORT}" if facts.host else ""),
        ("Process", text(noted.get(f"{GROUP}/pid"))),
        ("Cores", _cores(noted)),
        ("Memory", _memory(noted, pod)),
        ("Devices", text(noted.get(f"{GROUP}/devices"))),
        ("Restarts", restarts),
        ("Last end", _end(container, now)),
        ("Log", log),
    ]


def _engine(pod: Json) -> Json:
    statuses = mappings(mapping(pod.get("status")).get("containerStatuses"))
    return next((each for each in statuses if each.get("name") == ENGINE), {})


def _state(facts: WorkerFacts, now: float) -> str:
    if facts.terminating:
        within = "" if facts.gone_by is None else f", within {max(0, round(facts.gone_by - now))} s"
        return f"Ending: it finishes what it runs{within}"
    if facts.ready_since is not None:
        return f"Ready for {age(now - facts.ready_since)}"
    if facts.cause:
        kind = "Failed" if facts.cause.failure else "Waiting"
        return f"{kind}: {facts.cause.reason}: {facts.cause.message}"
    return _STARTING.get(facts.stage, "Starting: its process is made")


def _cores(noted: Json) -> str:
    cores, by = text(noted.get(f"{GROUP}/cores")), text(noted.get(f"{GROUP}/cores-by"))
    if not cores:
        return ""
    return f"{cores} ({_BY.get(by, by)})" if by else cores


def _memory(noted: Json, pod: Json) -> str:
    containers = mappings(mapping(pod.get("spec")).get("containers"))
    limits = (mapping(mapping(each.get("resources")).get("limits")).get("memory") for each in containers)
    limit = next((text(each) for each in limits if each), "")
    by = text(noted.get(f"{GROUP}/memory-by"))
    if not limit:
        return ""
    return f"{limit}, kept by a cgroup" if by == "cgroup" else f"{limit}, which nothing enforces here"


def _end(container: Json, now: float) -> str:
    """How its last process ended: the word, the exit code or signal, and what it left as its last line."""
    ended = mapping(mapping(container.get("lastState")).get("terminated"))
    ended = ended or mapping(mapping(container.get("state")).get("terminated"))
    return ", ".join(_ended(ended, now)) if ended else ""


def _ended(ended: Json, now: float) -> Iterator[str]:
    yield text(ended.get("reason")) or "ended"
    number = whole(ended.get("signal"))
    yield f"signal {number}" if number else f"exit code {whole(ended.get('exitCode'))}"
    at = from_timestamp(ended.get("finishedAt"))
    if at is not None:
        yield f"{age(now - at)} ago"
    last = [line.strip() for line in text(ended.get("message")).splitlines() if line.strip()]
    if last:
        yield last[-1]
