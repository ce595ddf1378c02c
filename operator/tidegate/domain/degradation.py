"""Shorter answers while the queue is deep: limits of tokens by steps of its depth."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

DEFAULT_MAX_TOKENS = (128, 96, 64)  # at 25, 50 and 75 % of the queue's limit


@dataclass(frozen=True, slots=True)
class Step:
    """Beyond ``above`` requests in the queue an answer has ``max_tokens`` at most."""

    above: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Degradation:
    """What a service does when its queue is deep. ``steps`` go up in ``above`` and down in ``max_tokens``;
    ``max_tokens`` holds below the first one, None: nothing does."""

    max_tokens: int | None
    steps: tuple[Step, ...]

    def tier(self, depth: int) -> int:
        """How many steps a depth has passed; 0 below the first.

        >>> Degradation(None, (Step(32, 128), Step(64, 96))).tier(33)
        1
        """
        return bisect_left(self.steps, depth, key=lambda step: step.above)

    def limit(self, tier: int) -> int | None:
        """The most tokens of an answer in that tier; None: as many as it asks for."""
        return self.steps[tier - 1].max_tokens if tier else self.max_tokens


def default_steps(max_depth: int, cap: int | None) -> tuple[Step, ...]:
    """The steps of a service that names none; no step allows more than ``cap``.

    The share is rounded up: with a limit of 3 the steps are above 1, 2 and 3, and a lone request is never
    degraded. Steps that would coincide are one: the deepest of those at one depth, the first of those with
    one number of tokens. So they are steps that a user could have written, whatever the limit and the cap.

    >>> default_steps(2, 96)
    (Step(above=1, max_tokens=96), Step(above=2, max_tokens=64))
    """
    steps: list[Step] = []
    for quarter, tokens in enumerate(DEFAULT_MAX_TOKENS, 1):
        step = Step(-(-max_depth * quarter // 4), tokens if cap is None else min(tokens, cap))
        if steps and step.max_tokens == steps[-1].max_tokens:
            continue
        if steps and step.above == steps[-1].above:
            steps.pop()
        steps.append(step)
    return tuple(steps)


def steps_note(steps: tuple[Step, ...]) -> str:
    """The annotation that belongs beside steps which nobody wrote.

    >>> steps_note((Step(32, 128), Step(64, 96)))
    '128 above 32, 96 above 64'
    """
    return ", ".join(f"{step.max_tokens} above {step.above}" for step in steps)


def are_defaulted(steps: tuple[Step, ...] | None, note: str | None) -> bool:
    """Whether nobody wrote these steps: they are absent, or just those that the annotation records."""
    return steps is None or (bool(steps) and note == steps_note(steps))


def lowered(own: object, limit: int) -> bool:
    """Whether ``limit`` takes the place of a request's own limit, which is any JSON value.

    A number up to ``limit`` stands: a request may ask for less. So does what no engine reads as a whole
    number: its own refusal reaches the client. Python's engines read "500", 5e2 and true as whole numbers.
    """
    if own is None:
        return True
    if isinstance(own, str):
        try:
            own = float(own)
        except ValueError:
            return False
    return isinstance(own, int | float) and own > limit
