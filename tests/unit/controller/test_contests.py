"""Who is told to write against us, and who is not."""

from tests.unit.resources.services import desired, service
from tidegate.controller.contests import Contests
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
