"""A service of this machine with all that belongs to it, as ``kubectl describe`` lays one out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tidegate.api.spec import InferenceServiceSpec
from tidegate.domain.loose import Json, mapping, mappings, text
from tidegate.domain.start_parts import sentence
from tidegate.domain.timestamps import from_timestamp
from tidegate.views import words
from tidegate.views.ages import age
from tidegate.views.described_worker import described_worker
from tidegate.views.event import Event
from tidegate.views.grid import pairs, rows
from tidegate.views.seen import Facts, Seen, facts_of

_NAMES = 14  # columns of the names


def describe(
    seen: Seen,
    logs: Mapping[str, Any],
    events: Iterable[Event],
    warnings: Iterable[str] = (),
    manifest: str = "",
) -> str:
    """The whole text. ``logs``: files by the workers' names; ``manifest``: where the service comes from."""
    facts = facts_of(seen)
    sections = [
        _head(facts, manifest),
        _spec(facts),
        _status(facts),
        _section("Warnings", (f"  {each}" for each in warnings)),
        _section("Conditions", _conditions(facts)),
        _section("Workers", _workers(facts, logs)) or ["Workers:       none"],
        _section("Events", _events(events, facts.now)) or ["Events:        none"],
    ]
    return "\n".join(line for section in sections for line in section) + "\n"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    told = list(lines)
    return [f"{title}:", *told] if told else []


def _head(facts: Facts, manifest: str) -> list[str]:
    metadata = mapping(facts.seen.service.get("metadata"))
    made = from_timestamp(at := text(metadata.get("creationTimestamp")))
    created = "" if made is None else f"{at} ({age(facts.now - made)} ago)"
    return list(
        pairs(
            [
                ("Name", facts.name),
                ("Namespace", facts.namespace),
                ("Manifest", manifest),
                ("Created", created),
                ("URL", text(facts.status.get("url"))),
            ],
            width=_NAMES + 1,
        )
    )


def _spec(facts: Facts) -> list[str]:
    if facts.spec is None:
        return list(pairs([("Spec", f"cannot be read: {facts.spec_error}")], width=_NAMES + 1))
    return list(pairs(_spec_values(facts.spec, text(facts.status.get("model"))), width=_NAMES + 1))


def _spec_values(spec: InferenceServiceSpec, model: str) -> Iterator[tuple[str, str]]:
    names = ", ".join(spec.model.served_names or ()) or model
    yield "Model", spec.model.uri + (f", served as {names}" if names else "")
    given = f", with {' '.join(spec.engine.args)}" if spec.engine.args else ""
    yield "Engine", f"{words.count(spec.engine.max_concurrency, 'request')} at once{given}"
    yield "Resources", _resources(spec)
    yield "Scaling", _scaling(spec)
    queue = spec.queue
    yield (
        "Budgets",
        (
            f"cold start {spec.scaling.cold_start_timeout_seconds} s, queue {queue.wait_timeout_seconds} s, "
            f"execution {queue.execution_timeout_seconds} s"
        ),
    )


def _resources(spec: InferenceServiceSpec) -> str:
    given = spec.resources
    device = given.accelerator
    devices = f", {device.count} {device.resource}" if device else ""
    cores = words.count(int(given.cpu), "core")
    return f"{cores} (isolation {spec.cpu_isolation}), {given.memory} of memory{devices}"


def _scaling(spec: InferenceServiceSpec) -> str:
    if spec.suspend:
        return "suspended: no worker, requests get 503"
    scaling = spec.scaling
    if scaling.mode == "External":
        return f"External: {words.number(spec.replicas or 0, 'worker')} (spec.replicas)"
    return (
        f"{scaling.min_replicas} to {words.count(scaling.max_replicas, 'worker')}, asleep after "
        f"{scaling.idle_timeout_seconds} s without a request"
    )


def _status(facts: Facts) -> list[str]:
    status, load = facts.status, facts.load
    queue, starts = mapping(status.get("queue")), mapping(status.get("coldStarts"))
    said = mapping(facts.scaling)
    since = facts.time(said, "since")
    when = "" if since is None else f", {age(facts.now - since)} ago"
    why = f"{text(said.get('reason'))}: {text(said.get('message'))}{when}" if said else ""
    limit = f" of {queue['limit']} ({text(queue.get('source'))})" if "limit" in queue else ""
    return list(
        pairs(
            [
                ("Phase", facts.phase or "none yet"),
                ("Ready", text(status.get("ready"))),
                ("Queue", f"{load.waiting} waiting, {load.in_flight} running{limit}"),
                ("Number", why),
                ("Isolation", text(status.get("isolation"))),
                ("Cold starts", _cold_starts(starts)),
            ],
            width=_NAMES + 1,
        )
    )


def _cold_starts(starts: Json) -> str:
    if not starts.get("count"):
        return ""
    parts = mapping(starts.get("parts"))
    took = sentence(parts) if parts else f"{text(starts.get('lastSeconds'))} s"
    return f"{starts['count']}; the last took {took}"


def _conditions(facts: Facts) -> list[str]:
    told = mappings(facts.status.get("conditions"))
    head = ("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE")
    return list(rows(head, (_condition(each, facts.now) for each in told), 2)) if told else []


def _condition(each: Json, now: float) -> tuple[str, ...]:
    since = from_timestamp(each.get("lastTransitionTime"))
    kind, status, reason = (text(each.get(name)) for name in ("type", "status", "reason"))
    return kind, status, reason, "" if since is None else age(now - since), text(each.get("message"))


def _workers(facts: Facts, logs: Mapping[str, Any]) -> Iterator[str]:
    for pod, worker in zip(facts.seen.pods or (), facts.workers, strict=True):
        yield f"  {worker.name}"
        yield from pairs(
            described_worker(pod, worker, str(logs.get(worker.name, "")), facts.now), 4, _NAMES - 3
        )


def _events(events: Iterable[Event], now: float) -> list[str]:
    told = [(_ago(each, now), each.type, each.reason, each.note) for each in events]
    return list(rows(("AGE", "TYPE", "REASON", "MESSAGE"), told, 2)) if told else []


def _ago(event: Event, now: float) -> str:
    """``12s``; of what has been so again, ``12s (x3 over 5m)``."""
    last = age(now - event.last)
    return last if event.count == 1 else f"{last} (x{event.count} over {age(now - event.first)})"
