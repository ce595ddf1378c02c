"""The whole explanation of one service, from one look at it."""

from __future__ import annotations

from typing import Final

from tidegate.domain.loose import whole
from tidegate.views import words
from tidegate.views.coming import coming
from tidegate.views.external import who_scales
from tidegate.views.seen import Facts, Seen, facts_of
from tidegate.views.standing import cores, cost, queue, targets
from tidegate.views.starts import cold_start, starting
from tidegate.views.topic import Explanation, Topic
from tidegate.views.trouble import trouble
from tidegate.views.workers import why_so_many

_PHASES: Final = {
    "Idle": "is asleep: no worker runs, and the next request wakes one",
    "Starting": "is starting: no worker is ready yet",
    "Stopping": "is stopping: no worker is wanted, and the last ones finish what they run",
    "Suspended": "is suspended: no worker runs, and requests are answered with 503",
    "Failed": "has failed: it does not run, and waiting alone will not change that",
}


def explain(seen: Seen) -> Explanation:
    """What a person wants to know of the service, the most pressing first."""
    facts = facts_of(seen)
    upcoming, expected = coming(facts)
    topics = (
        trouble(facts),
        why_so_many(facts),
        who_scales(facts),
        starting(facts),
        upcoming,
        queue(facts),
        cold_start(facts),
        cores(facts),
        targets(facts),
        cost(facts),
        Topic("Not read", seen.unread) if seen.unread else None,
    )
    return Explanation(
        name=facts.name,
        namespace=facts.namespace,
        headline=_headline(facts),
        topics=tuple(topic for topic in topics if topic and topic.sentences),
        expected=expected,
        status=dict(facts.status),
    )


def _headline(facts: Facts) -> str:
    who = f"{facts.name} in namespace {facts.namespace}"
    if facts.deleted:
        return f"{who} is being deleted."
    if facts.phase == "Running":
        return f"{who} is running: {_ready(facts)}."
    if facts.phase == "Starting" and facts.depth:
        waiting = f"{words.count(facts.depth, 'request')} {'waits' if facts.depth == 1 else 'wait'}"
        return f"{who} {_PHASES['Starting']}, and {waiting}."
    said = _PHASES.get(facts.phase, f"is in the phase {facts.phase}" if facts.phase else "has no status yet")
    return f"{who} {said}."


def _ready(facts: Facts) -> str:
    ready, wanted = whole(facts.status.get("readyReplicas")), whole(facts.scaling.get("desired"))
    if wanted <= ready:
        return f"{words.count(ready, 'worker')} {'is' if ready == 1 else 'are'} ready"
    return f"{ready} of {words.count(wanted, 'worker')} {'is' if ready == 1 else 'are'} ready"
