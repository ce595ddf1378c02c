"""What goes when a model needs room, what stays, and what is said where there is none."""

from __future__ import annotations

import os
from pathlib import Path

from tests.component.cache.conftest import FILES, NEEDED, Filler, Place, contents, model_files, until
from tests.component.cache.store import Gate, Repository

SIZE = sum(len(FILES[name]) for name in NEEDED)
TWO = str(int(2.5 * SIZE))  # room for two of the models


def fill(place: Place, name: str, limit: str = TWO) -> Filler:
    place.store.repositories.setdefault(f"acme/{name}", Repository(dict(FILES)))
    return place.fill("--size-limit", limit, model=f"hf://acme/{name}", name=name)


def key(name: str) -> str:
    return f"hf--acme--{name}--{'c' * 40}"


def models(place: Place) -> list[str]:
    return [each.split("--")[2] for each in place.names("models")]


def test_the_least_recently_used_goes_first(place: Place) -> None:
    for name in ("one", "two"):
        fill(place, name)
    for name in ("two", "one"):
        place.use_long_ago(key(name))
    os.utime(place.folder / "leases" / key("one"), (1, 1))
    third = fill(place, "three")
    assert contents(third.link) == model_files()
    assert models(place) == ["three", "two"]


def test_a_model_that_a_worker_uses_never_goes_and_the_refusal_names_it(place: Place) -> None:
    for name in ("one", "two"):
        fill(place, name)
    third = fill(place, "three")
    assert third.message.startswith("CacheFull: ")
    assert key("one") in third.message
    assert models(place) == ["one", "two"]
    place.use_long_ago(key("one"))
    assert contents(fill(place, "three").link) == model_files()
    assert models(place) == ["three", "two"]


def test_a_model_larger_than_the_limit_is_refused_before_a_byte_of_it_is_fetched(place: Place) -> None:
    filler = fill(place, "one", str(SIZE - 1))
    assert filler.message.startswith("CacheFull: ")
    assert not place.store.sent


def test_without_a_limit_nothing_goes(place: Place) -> None:
    fill(place, "one")
    place.use_long_ago(key("one"))
    place.store.repositories["acme/two"] = Repository(dict(FILES))
    place.fill(model="hf://acme/two", name="two")
    assert models(place) == ["one", "two"]


def test_what_nobody_finished_goes_too_and_what_is_being_filled_does_not(place: Place) -> None:
    gate = place.store.gates["model-2.safetensors"] = Gate(1_000_000)
    for name in ("dead", "live", "new"):
        place.store.repositories[f"acme/{name}"] = Repository(dict(FILES))
    dead = place.start("--size-limit", TWO, model="hf://acme/dead", name="dead")
    assert gate.reached.wait(90)
    begun = place.folder / "partial" / key("dead") / "model-1.safetensors"
    until(begun.exists, "one of its large files is whole")
    dead.process.kill()
    dead.end()
    gate.reached.clear()
    live = place.start("--size-limit", TWO, model="hf://acme/live", name="live")
    assert gate.reached.wait(90)
    for name in ("dead", "live"):
        place.use_long_ago(key(name))
    place.store.gates.clear()
    new = place.fill("--size-limit", str(int(2.2 * SIZE)), model="hf://acme/new", name="new")
    assert contents(new.link) == model_files(), new.output
    assert place.names("partial") == [key("live")]
    gate.opened.set()
    assert live.end() == 0, live.output
    assert models(place) == ["live", "new"]


def test_two_versions_that_share_their_weights_take_their_room_once(place: Place) -> None:
    fill(place, "one", str(int(1.2 * SIZE)))
    repository = place.store.repositories["acme/one"]
    repository.commit, repository.files["config.json"] = "d" * 40, b'{"model_type": "newer"}'
    second = fill(place, "one", str(int(1.2 * SIZE)))
    assert second.process.returncode == 0, second.message
    assert len(place.names("models")) == 2


def test_a_folder_that_cannot_be_written_to_is_named_with_who_could_not(place: Place) -> None:
    """Not even root may make a folder in /sys."""
    place.folder = Path("/sys/kernel/tidegate")
    filler = place.fill()
    assert filler.process.returncode == 1
    assert filler.message.startswith("CacheNotWritable: user ")
    assert "cannot write to the claim a" in filler.message
