"""What the engine's process marks of its start, the first process tells."""

from __future__ import annotations

import os

from tidegate_worker.serving import Stopwatch
from tidegate_worker.start_marks import StartMarks


def test_marks_of_a_forked_child_are_told_by_its_parent() -> None:
    marks = StartMarks()
    child = os.fork()
    if child == 0:
        marks.mark("interpreter", 0.5)
        marks.mark("imports", 7.25)
        marks.mark("config", 0.25)
        os._exit(0)
    os.waitpid(child, 0)
    told = marks.told()
    assert told["parts"] == {"interpreter": 0.5, "imports": 7.25, "config": 0.25}
    assert told["loadsAfterSeconds"] == 8.0
    assert told["servesAfterSeconds"] is None, "it does not serve yet"


def test_a_start_that_is_over_tells_when_it_loaded_and_when_it_served() -> None:
    marks = StartMarks()
    for part, seconds in {"interpreter": 1, "imports": 2, "config": 3, "engine": 4, "serving": 0}.items():
        marks.mark(part, seconds)
    told = marks.told()
    assert (told["loadsAfterSeconds"], told["servesAfterSeconds"]) == (6.0, 10.0)


def test_nothing_is_told_before_the_first_mark_and_of_what_is_no_part() -> None:
    marks = StartMarks()
    marks.mark("coffee", 3.0)
    assert marks.told() == {"parts": {}, "loadsAfterSeconds": None, "servesAfterSeconds": None}


def test_a_stopwatch_shows_what_was_before_it_and_each_mark() -> None:
    marks = StartMarks()
    watch = Stopwatch(marks, interpreter=0.4)
    for part in ("imports", "config", "engine", "serving"):
        watch.mark(part)
    assert watch.parts.keys() == {"interpreter", "imports", "config", "engine", "serving"}
    assert marks.told()["servesAfterSeconds"] is not None
