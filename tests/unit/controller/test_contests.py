"""Who is told to write against us, who is not, and when a service with such objects is looked at again."""

from tests.unit.resources.services import desired, service
from tidegate.controller.contests import Contests
from tidegate.domain.contest import MEMORY
from tidegate.domain.service import ServiceKey
from tidegate.resources.plan import CREATED, Action

KEY = ServiceKey("team-a", "qwen")
MANIFEST = desired(service()).deployment
DRIFT = Action("apply", MANIFEST, (".spec.paused",))


def test_creations_are_no_corrections_however_often_their_answers_are_lost() -> None:
    contests = Contests(lambda: 1000.0)
    for _ in range(9):
        contests.sent(KEY, Action("apply", MANIFEST, CREATED), (), ())
    assert contests.conditions(KEY) == ()
    assert contests.wait(KEY, DRIFT) == 0


def test_a_field_that_a_creation_could_not_set_is_told_at_once() -> None:
    contests = Contests(lambda: 1000.0)
    contests.sent(KEY, Action("apply", MANIFEST, CREATED), (".spec.paused",), ())
    (condition,) = contests.conditions(KEY)
    assert "Deployment qwen-worker: .spec.paused" in condition.message
    assert contests.wait(KEY, DRIFT) == 1.0


def test_the_third_correction_names_who_is_corrected_and_it_is_forgotten_when_all_is_quiet() -> None:
    now = [1000.0]
    contests = Contests(lambda: now[0])
    for _ in range(3):
        contests.sent(KEY, DRIFT, (), ("kubectl-edit",))
    (condition,) = contests.conditions(KEY)
    assert (condition.type, condition.status) == ("Contested", "True")
    assert "kubectl-edit" in condition.message
    assert contests.conditions(KEY) == (condition,)  # the same again: no write
    now[0] += 600.0
    assert contests.conditions(KEY) == ()


def test_a_new_manifest_is_not_held_up_by_the_fights_of_the_old_one() -> None:
    contests = Contests(lambda: 1000.0)
    for _ in range(9):
        contests.sent(KEY, DRIFT, (), ())
    changed = desired(service(suspend=True, rollout="Surge")).deployment
    assert contests.wait(KEY, Action("apply", changed, DRIFT.why)) == 0


class Fight:
    """Contests over one Service, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.contests = Contests(lambda: self.now)

    def passes(self, *, differs: bool) -> float | None:
        """One pass; seconds until the next one."""
        if differs and not self.contests.wait(KEY, DRIFT):
            self.contests.sent(KEY, DRIFT, (), ("somebody",))
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
    fight.contests.sent(KEY, DRIFT, [".spec.paused"], ())
    fight.now += 5.0  # so long did the rest of the pass take
    assert fight.contests.recheck_after(KEY) == 1.0
    fight.contests.sent(KEY, DRIFT, [".spec.paused"], ())
    assert fight.contests.recheck_after(KEY) == 2.0


def test_one_whose_time_came_while_the_pass_ran_is_made_a_second_later() -> None:
    fight = Fight()
    for _ in range(3):
        fight.passes(differs=True)
    fight.now += 0.5
    assert fight.contests.wait(KEY, DRIFT) == 0.5
    fight.now += 5.0
    assert fight.contests.recheck_after(KEY) == 1.0
