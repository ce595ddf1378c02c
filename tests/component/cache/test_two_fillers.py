"""Two pods on one cache: one copy, nothing twice, whoever dies when."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.component.cache.conftest import FILES, MODEL, NEEDED, WEIGHTS, Place, contents, model_files, until
from tests.component.cache.store import Gate

HALF = len(WEIGHTS) // 2
LAST = "model-2.safetensors"


def complete(place: Place) -> list[str]:
    """The files that are whole in a model that is being filled."""
    folder = next((place.folder / "partial").glob("hf--*"))
    return sorted(each.name for each in folder.iterdir() if each.name in FILES)


def test_two_that_begin_at_once_make_one_copy_and_each_file_is_fetched_once(place: Place) -> None:
    gate = place.store.gates[LAST] = Gate(HALF)
    one, two = place.start(), place.start()
    assert gate.reached.wait(90)
    until(lambda: one.has_said("waiting") or two.has_said("waiting"), "one of them waits for the other")
    gate.opened.set()
    assert (one.end(), two.end()) == (0, 0), one.output + two.output
    assert contents(one.link) == contents(two.link) == model_files()
    assert one.link.resolve() == two.link.resolve()
    assert {name: place.store.sent[name] for name in NEEDED} == {name: len(FILES[name]) for name in NEEDED}
    assert len(place.names("models")) == 1
    assert place.names("partial") == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_killed_half_way_costs_nothing_that_was_complete(place: Place, number: int) -> None:
    gate = place.store.gates[LAST] = Gate(HALF)
    one = place.start()
    assert gate.reached.wait(90)
    until(lambda: len(complete(place)) == len(NEEDED) - 1, "all but the last file are whole")
    two = place.start()
    until(lambda: two.has_said("waiting"), "the second waits for the first")
    one.process.send_signal(number)
    one.end()
    gate.opened.set()
    assert two.end() == 0, two.output
    assert contents(two.link) == model_files()
    whole = [name for name in NEEDED if name != LAST]
    assert {name: place.store.sent[name] for name in whole} == {name: len(FILES[name]) for name in whole}
    assert place.names("partial") == []
    assert len(place.names("models")) == 1


def killed_half_way(place: Place) -> Path:
    """What a filler has left of the last file when it is killed there; the store holds nobody up then."""
    gate = place.store.gates[LAST] = Gate(HALF)
    one = place.start()
    assert gate.reached.wait(90)
    kept = place.folder / "partial"
    until(lambda: any(file.stat().st_size for file in kept.rglob(f"{LAST}.part-*")), "a part is on the disk")
    one.process.kill()
    one.end()
    gate.opened.set()
    (part,) = kept.rglob(f"{LAST}.part-*")
    return part


def test_what_a_dead_filler_had_of_a_file_is_continued_at_its_last_byte(place: Place) -> None:
    part = killed_half_way(place)
    have = part.stat().st_size
    place.store.asked.clear()
    two = place.fill()
    assert contents(two.link) == model_files()
    ranges = [head["range"] for _, path, head in place.store.asked if LAST in path and "range" in head]
    assert ranges == [f"bytes={have}-"]


def test_a_whole_model_is_found_and_nothing_of_it_is_fetched_again(place: Place) -> None:
    place.fill()
    place.store.sent.clear()
    again = place.fill()
    assert contents(again.link) == model_files()
    assert not place.store.sent
    assert [json.loads(line)["worker"] for line in again.output.splitlines()] == ["found", "cached"]


def test_a_part_that_was_damaged_on_the_disk_is_noticed_and_fetched_anew(place: Place) -> None:
    part = killed_half_way(place)
    with part.open("r+b") as file:
        file.write(b"\xff\xff\xff")
    assert contents(place.fill().link) == model_files()


def test_a_new_version_takes_what_it_shares_with_the_old_from_the_disk(place: Place) -> None:
    first = place.fill()
    repository = place.store.repositories[MODEL]
    repository.commit, repository.files["config.json"] = "d" * 40, b'{"model_type": "newer"}'
    place.store.sent.clear()
    second = place.fill()
    assert contents(second.link) == {**model_files(), "config.json": b'{"model_type": "newer"}'}
    assert contents(first.link) == model_files()
    assert set(place.store.sent) == {"config.json"}


def test_a_model_that_lost_a_file_is_mended_and_not_fetched_anew(place: Place) -> None:
    broken = place.fill().link.resolve()
    (broken / "tokenizer.json").write_bytes(b"")
    place.store.sent.clear()
    assert contents(place.fill().link) == model_files()
    assert set(place.store.sent) == {"tokenizer.json"}
