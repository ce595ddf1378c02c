"""What is remembered of what happened to a service of this machine."""

from __future__ import annotations

from typing import Any

from tidegate.domain.service import ServiceKey
from tidegate.local.supervision.news import MOST, News

KEY = "default/tiny"


class Clock:
    """A second passes at each look."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Unix time."""
        self.now += 1
        return self.now


def service(phase: str, reason: str = "", message: str = "", **status: Any) -> dict[str, Any]:
    """The document of a service in that phase."""
    ready = {"type": "Ready", "status": "True", "reason": reason or phase, "message": message}
    status = {"phase": phase, "conditions": [ready], **status}
    return {"metadata": {"namespace": "default", "name": "tiny"}, "status": status}


def test_a_change_of_phase_is_an_event_and_what_it_says_besides_is_another() -> None:
    news = News(Clock())
    before = service("Idle", scaling={"desired": 0})
    after = service("Starting", scaling={"desired": 1, "reason": "Woken"})
    change = news.take(before, after)
    assert (change.key, change.phase) == (ServiceKey("default", "tiny"), "Starting")
    assert [each.reason for each in change.news] == ["Woken"]
    assert [each.reason for each in news.all()[KEY]] == ["Woken", "Starting"]


def test_the_same_news_again_is_one_event_that_counts() -> None:
    news = News(Clock())
    for _ in range(3):
        news.take(service("Idle"), service("Starting"))
        news.take(service("Starting"), service("Idle"))
    starting, idle = news.all()[KEY]
    assert (starting.reason, starting.count, starting.first, starting.last) == ("Starting", 3, 101.0, 105.0)
    assert (idle.reason, idle.count) == ("Idle", 3)


def test_no_more_than_so_many_are_kept_and_none_of_a_service_that_is_gone() -> None:
    news = News(Clock())
    for number in range(MOST + 5):
        news.take(service("Failed", f"R{number}"), service("Failed", f"R{number + 1}", f"it is {number}"))
    assert len(news.all()[KEY]) == MOST
    news.take(service("Idle"), {})
    assert news.all() == {}


def test_a_service_that_is_new_says_its_phase_alone() -> None:
    change = News(Clock()).take({}, service("Failed", "InvalidSpec", "spec.model: is missing"))
    assert (change.phase, change.news) == ("Failed", ())
