"""Why there are as many workers as there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidegate.domain.loose import Json, mapping, text, whole
from tidegate.views import words
from tidegate.views.seen import Facts
from tidegate.views.topic import Topic

BECAUSE: Final = {
    "Woken": "a request came while no worker ran, and a gateway woke the service",
    "Demand": "the requests that waited or ran needed so many",
    "Surplus": "so many had been enough for scaling.scaleDownDelaySeconds",
    "Idle": "nothing had come for scaling.idleTimeoutSeconds",
    "MinReplicas": "scaling.minReplicas keeps so many",
    "MaxReplicas": "scaling.maxReplicas allows no more",
    "Schedule": "one of scaling.schedules keeps so many",
    "NotStarting": "the start failed and nobody waited for it",
    "External": "spec.replicas says so",
    "Suspended": "spec.suspend is true",
    "TakenOver": "so many were there when scaling.mode became Managed again",
    "Rejected": "a kubelet rejects the workers",
}
"""What the reasons of status.scaling mean, for statuses that have no sentence of their own."""

_BY_LOAD: Final = frozenset({"Woken", "Demand", "Surplus"})  # decided by what waited and ran then


def why_so_many(facts: Facts) -> Topic:
    """The last decision with its numbers, and what holds beside it."""
    return Topic("Workers", tuple(_sentences(facts)))


def _sentences(facts: Facts) -> Iterator[str]:
    if "desired" not in facts.scaling:
        yield _undecided(facts)
    else:
        yield _wanted(facts)
        yield _reason(facts.scaling)
        yield from _figures(facts)
    yield from _flapping(facts)
    yield from _ahead(facts)


def _undecided(facts: Facts) -> str:
    if facts.blocked_here:
        return "No worker is started before that is corrected."
    return "The status has no decision about the number of workers yet."


def _wanted(facts: Facts) -> str:
    """``2 workers wanted, 1 before, since 09:12:31 UTC (4 min ago).``"""
    scaling, since = facts.scaling, facts.time(facts.scaling, "since")
    wanted = f"{words.number(whole(scaling.get('desired')), 'worker')} wanted"
    before = f", {whole(scaling['previous'])} before" if "previous" in scaling else ""
    when = "" if since is None else f", since {words.clock(since, facts.now)}"
    ago = "" if since is None else f" ({words.span(facts.now - since)} ago)"
    return f"{wanted[0].upper()}{wanted[1:]}{before}{when}{ago}."


def _reason(scaling: Json) -> str:
    """The decision's own sentence, else what its word means."""
    reason = text(scaling.get("reason"))
    why = text(scaling.get("message")) or BECAUSE.get(reason, "the operator says no more")
    return words.sentence(f"{reason or 'No reason given'}: {why}")


def _figures(facts: Facts) -> Iterator[str]:
    """What was there at that moment, where the decision was about it; an older operator does not tell."""
    scaling = facts.scaling
    if text(scaling.get("reason")) not in _BY_LOAD or "waiting" not in scaling:
        return
    waiting, running = whole(scaling["waiting"]), whole(scaling.get("inFlight"))
    if text(scaling.get("reason")) == "Woken" and not waiting + running:
        return  # the gateway acts before its demand is heard
    ready, starting = whole(scaling.get("ready")), whole(scaling.get("starting"))
    parts = [
        f"{words.number(waiting, 'request')} waited",
        f"{running or 'none'} ran",
        f"{words.number(ready, 'worker')} {'was' if ready <= 1 else 'were'} ready",
        f"{starting or 'none'} {'was' if starting <= 1 else 'were'} starting",
    ]
    seconds = text(scaling.get("executionSeconds"))
    parts += [f"a request took about {seconds} s"] if seconds else []
    yield f"At that moment {words.listed(parts)}."
    needed, desired = whole(scaling.get("needed")), whole(scaling.get("desired"))
    if needed > desired and "maxReplicas" not in text(scaling.get("message")):
        yield f"That asked for {needed} workers, and scaling.maxReplicas allowed {desired}."


def _flapping(facts: Facts) -> Iterator[str]:
    held, flapping = facts.condition("IdleTimeoutExtended"), mapping(facts.scaling.get("flapping"))
    if held.get("status") != "True" and not flapping:
        return
    said = text(held.get("message")) or (
        f"it was woken {whole(flapping.get('wakes'))} times right after it fell asleep, so it stays awake "
        f"for {whole(flapping.get('idleTimeoutSeconds'))} s without a request"
    )
    yield words.sentence(f"The idle timeout is extended: {said}")


def _ahead(facts: Facts) -> Iterator[str]:
    """The Deployment's number is the truth; the status is a moment behind it."""
    deployment, desired = facts.seen.deployment, facts.scaling.get("desired")
    if deployment is None or desired is None:
        return
    asked = whole(mapping(deployment.get("spec")).get("replicas"))
    if asked != desired:
        who = "a gateway has just woken it, or " if (desired, asked) == (0, 1) else ""
        what, whose = ("Tidegate", "it") if facts.seen.here else ("The Deployment", "the operator")
        yield (
            f"{what} asks for {words.number(asked, 'worker')} at this moment: {who}{whose} has "
            "just scaled it or is about to, and the status follows."
        )
