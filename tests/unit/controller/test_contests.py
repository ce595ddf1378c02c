"""When a service with contested objects is looked at again."""

from __future__ import annotations

from tidegate.controller.contests import Contests
from tidegate.domain.contest import MEMORY
from tidegate.domain.service import ServiceKey
from tidegate.resources.names import SPEC_HASH_ANNOTATION
from tidegate.resources.plan import Action

KEY = ServiceKey("team", "qwen")
MANIFEST = {"kind": "Service", "metadata": {"name": "qwen", "annotations": {SPEC_HASH_ANNOTATION: "h"}}}
ACTION = Action("apply", MANIFEST, (".spec.type",))


class Fight:
    """Contests over one Service, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.contests = Contests(lambda: self.now)

    def passes(self, *, differs: bool) -> float | None:
        """One pass; seconds until the next one."""
        if differs and not self.contests.wait(KEY, ACTION):
            self.contests.sent(KEY, ACTION, (), ("somebody",))
        return self.contests.recheck_after(KEY)


def test_a_contest_that_has_ended_is_looked_at_once_more_and_not_every_second() -> None:
    fight = Fight()
    for _ in range(3):
        fight.passes(differs=True)
    fight.now += 2.0
    assert fight.passes(differs=False) == MEMORY - 2.0


def test_a_correction_that_was_held_back_is_made_when_it_is_due() -> None:
    fight = Fight()
    for _ in range(3):
        fight.passes(differs=True)
    fight.now += 0.5
    assert fight.passes(differs=True) == 1.0
    fight.now += 1.0
    assert fight.passes(differs=True) == MEMORY


def test_what_resists_is_tried_again_when_that_is_due() -> None:
    fight = Fight()
    fight.contests.sent(KEY, ACTION, [".spec.type"], ())
    fight.now += 5.0  # so long did the rest of the pass take
    assert fight.contests.recheck_after(KEY) == 1.0
    fight.contests.sent(KEY, ACTION, [".spec.type"], ())
    assert fight.contests.recheck_after(KEY) == 2.0


def test_one_whose_time_came_while_the_pass_ran_is_made_a_second_later() -> None:
    fight = Fight()
    for _ in range(3):
        fight.passes(differs=True)
    fight.now += 0.5
    assert fight.contests.wait(KEY, ACTION) == 0.5
    fight.now += 5.0
    assert fight.contests.recheck_after(KEY) == 1.0
