"""What is said of the cores of workers on this machine."""

from __future__ import annotations

from typing import Any

from tidegate.domain.isolation import Verdict
from tidegate.domain.workers import WorkerFacts
from tidegate.local.supervision.cores import said_by, with_cores

TRUE = Verdict("True", "Exclusive", "tide-1 has core 1 of here to itself")


def pod(uid: str, by: str = "") -> dict[str, Any]:
    annotations = {"tidegate.io/cores-by": by} if by else {}
    return {"metadata": {"uid": uid, "annotations": annotations}}


def test_a_verdict_names_what_gave_the_cores_and_is_not_lengthened_twice() -> None:
    said = said_by(TRUE, [pod("u", "affinity")])
    assert said is not None
    assert (
        said.message
        == f"{TRUE.message}; given by affinity: no other worker runs there, programs beside "
        + ("tidegate may")
    )
    assert said_by(said, [pod("u", "affinity")]) == said


def test_without_cores_of_their_own_or_without_evidence_nothing_is_added() -> None:
    unknown = Verdict("Unknown", "NoWorkers", "no worker is ready")
    assert said_by(TRUE, [pod("u")]) == TRUE
    assert said_by(unknown, [pod("u", "cgroup")]) == unknown
    assert said_by(None, [pod("u", "cgroup")]) is None


def test_who_was_given_cores_is_judged_by_his_evidence_whatever_holds_his_memory() -> None:
    own, shared = WorkerFacts("a", 0.0, uid="u"), WorkerFacts("b", 0.0, uid="v")
    found = with_cores([own, shared], [pod("u", "affinity"), pod("v")])
    assert [each.guaranteed for each in found] == [True, False]
