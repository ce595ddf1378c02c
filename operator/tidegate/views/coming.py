"""What happens next, and when: the operator's own decision, asked about later moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tidegate.domain.pod_starts import next_start
from tidegate.domain.scale_bounds import Bounds
from tidegate.views import words
from tidegate.views.growing import growth
from tidegate.views.scheduled import next_edge
from tidegate.views.seen import Facts
from tidegate.views.shrinking import shrink
from tidegate.views.topic import Expected, Topic

Said = tuple[str, Expected | None]

_AGAIN: Final = (
    "{who} to start it. Once nobody waits any more it goes to sleep, and the next request or a change of the "
    "spec tries again."
)


def coming(facts: Facts) -> tuple[Topic, tuple[Expected, ...]]:
    """Sentences, and the same for programs."""
    said = tuple(_said(facts))
    return Topic("Next", tuple(text for text, _ in said)), tuple(each for _, each in said if each)


def _said(facts: Facts) -> Iterator[Said]:
    spec, bounds_at = facts.spec, facts.bounds_at
    if facts.deleted:
        yield "It is being deleted: its workers finish what they run and go.", None
    elif not facts.status:
        yield "What comes next is not known before the operator has looked at it.", None
    elif spec is None or bounds_at is None:
        yield "What comes next cannot be told, because the spec cannot be read.", None
    elif spec.suspend:
        yield "Nothing is started until spec.suspend is false.", None
    elif spec.scaling.mode == "External":
        yield "The number changes when somebody writes spec.replicas, and at no other time.", None
    else:
        yield from _managed(facts, bounds_at)
        if edge := next_edge(spec.scaling.schedules, facts.now):
            yield edge


def _managed(facts: Facts, bounds_at: Callable[[float], Bounds]) -> Iterator[Said]:
    if facts.pool.rejected_until > facts.now:
        yield from _pause(facts)
        return
    bounds = bounds_at(facts.now)
    if facts.pool.ready == 0:
        yield from _held(facts, asleep=facts.pool.replicas == 0 and bounds.least == 0)
        yield from _next_start(facts)
        if facts.phase == "Failed" and facts.pool.replicas:
            who = "Tidegate tries again and again" if facts.seen.here else "Kubernetes goes on trying"
            yield from [(_AGAIN.format(who=who), None)] if facts.depth else shrink(facts, bounds_at)
    else:
        yield from growth(facts, bounds)
        yield from shrink(facts, bounds_at)


def _pause(facts: Facts) -> Iterator[Said]:
    until = facts.pool.rejected_until
    text = f"No worker is started before {words.clock(until, facts.now)} (in {words.span(until - facts.now)})"
    yield (
        f"{text}, not even for a request that waits; a change of the spec ends this pause.",
        Expected("Retry", None, until, until),
    )


def _next_start(facts: Facts) -> Iterator[Said]:
    """Of an engine that ended again and again, where somebody tells it: a kubelet does not."""
    at = next_start(facts.seen.pods or ())
    if at is not None and at > facts.now:
        yield f"The next try to start it is {words.at(at, facts.now)}.", Expected("Retry", None, at, at)


def _held(facts: Facts, *, asleep: bool) -> Iterator[Said]:
    seconds = facts.spec.scaling.cold_start_timeout_seconds if facts.spec else 0
    held = f"for {seconds} s at most (scaling.coldStartTimeoutSeconds)"
    if facts.blocked_here:
        yield f"Requests wait in vain before that is corrected, {held}.", None
    elif asleep:
        yield f"The next request wakes it, and is held until a worker is ready, {held}.", None
    else:
        yield f"Requests are held until a worker is ready, each {held}.", None
