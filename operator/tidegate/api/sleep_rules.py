"""CEL rules of spec.engine.sleep."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.api.base import Rule, rule
from tidegate.domain.engine_args import pattern_of
from tidegate.domain.sleep_args import AT_LEVEL_2, DEVELOPER_VARIABLE, WHILE_IT_SLEEPS, sentence_of

NEEDS_DEVICE = rule(
    "!has(self.engine) || !has(self.engine.sleep) || has(self.resources.accelerator)",
    "engine.sleep frees the memory of a device, and without resources.accelerator there is none: remove it; "
    "with scaling.minReplicas 0 the whole worker goes when nothing has run for a while",
    ".engine.sleep",
)

BEFORE_IDLE = rule(
    "!has(self.engine) || !has(self.engine.sleep) || !has(self.scaling) || self.scaling.mode != 'Managed' || "
    "self.scaling.minReplicas > 0 || (has(self.scaling.schedules) && self.scaling.schedules.size() > 0) || "
    "self.engine.sleep.afterSeconds < self.scaling.idleTimeoutSeconds",
    "engine.sleep.afterSeconds must be less than scaling.idleTimeoutSeconds, or the workers are stopped "
    "before an engine sleeps; where some are always kept (minReplicas, schedules, mode External) it may be "
    "more",
    ".engine.sleep.afterSeconds",
)

NO_DEVELOPER = rule(
    f"!has(self.sleep) || !has(self.env) || self.env.all(variable, variable.name != '{DEVELOPER_VARIABLE}')",
    f"{DEVELOPER_VARIABLE} cannot be set beside engine.sleep: with it any client can put the engine to sleep "
    "or wake it; remove one of the two",
    ".env",
)


def _args(refused: Mapping[tuple[str, ...], str], when: str) -> list[Rule]:
    return [
        rule(
            f"!({when}) || !has(self.args) || !self.args.exists(arg, arg.matches('{pattern_of(flags)}'))",
            sentence_of(flags, advice),
            ".args",
        )
        for flags, advice in refused.items()
    ]


ARGS = [
    *_args(WHILE_IT_SLEEPS, "has(self.sleep)"),
    *_args(AT_LEVEL_2, "has(self.sleep) && self.sleep.level == 2"),
]
