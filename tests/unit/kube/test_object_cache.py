from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind, ObjectCache

Json = dict[str, Any]
KEY = ServiceKey("team", "qwen")


def worker(version: int, uid: str = "u1", name: str = "w") -> Json:
    labels = {"tidegate.io/inferenceservice": "qwen"}
    metadata = {
        "namespace": "team",
        "name": name,
        "uid": uid,
        "resourceVersion": str(version),
        "labels": labels,
    }
    return {"metadata": metadata}


def version(cache: ObjectCache) -> int | None:
    found = cache.get(Kind.POD, "team", "w")
    return int(found["metadata"]["resourceVersion"]) if found else None


@given(st.permutations([worker(1), worker(2), worker(3), worker(3), worker(4)]))
def test_in_whatever_order_they_come_the_newest_stays(order: list[Json]) -> None:
    cache = ObjectCache()
    for each in order:
        cache.put(Kind.POD, each)
    assert version(cache) == 4


def test_an_object_is_news_once() -> None:
    cache = ObjectCache()
    assert cache.put(Kind.POD, worker(5))
    assert not cache.put(Kind.POD, worker(5))
    assert not cache.put(Kind.POD, worker(4))


def test_a_late_answer_does_not_bring_back_what_is_deleted() -> None:
    cache = ObjectCache()
    cache.put(Kind.POD, worker(5))
    assert cache.remove(Kind.POD, worker(6))
    assert not cache.put(Kind.POD, worker(5))
    assert version(cache) is None
    assert cache.put(Kind.POD, worker(7, uid="u2"))


def test_the_end_of_a_predecessor_does_not_take_the_successor() -> None:
    cache = ObjectCache()
    cache.put(Kind.POD, worker(7, uid="u2"))
    assert not cache.remove(Kind.POD, worker(8, uid="u1"))
    assert version(cache) == 7


def test_a_listing_finds_what_was_deleted_changed_and_made() -> None:
    cache = ObjectCache()
    for name in ("gone", "same", "changed"):
        cache.put(Kind.POD, worker(5, uid=name, name=name))
    same = worker(5, uid="same", name="same")
    assert (
        cache.replace_all(
            Kind.POD, [same, worker(5, uid="gone", name="gone"), worker(5, "changed", "changed")], "6"
        )
        == set()
    )
    assert cache.replace_all(
        Kind.POD, [same, worker(7, "changed", "changed"), worker(8, "new", "new")], "9"
    ) == {KEY}
    assert [pod["metadata"]["name"] for pod in cache.of_service(Kind.POD, KEY)] == ["changed", "new", "same"]


def test_what_is_newer_than_a_listing_stays_although_it_is_not_in_it() -> None:
    cache = ObjectCache()
    cache.put(Kind.POD, worker(12))
    assert cache.replace_all(Kind.POD, [], "10") == set()
    assert version(cache) == 12
    assert cache.replace_all(Kind.POD, [], "13") == {KEY}
    assert version(cache) is None


def test_what_left_the_listing_may_come_back() -> None:
    cache = ObjectCache()
    cache.put(Kind.POD, worker(5))
    cache.replace_all(Kind.POD, [], "6")
    assert cache.put(Kind.POD, worker(7))


def test_a_relabelled_object_changes_its_service() -> None:
    cache = ObjectCache()
    cache.put(Kind.POD, worker(5))
    moved = worker(6)
    moved["metadata"]["labels"] = {"tidegate.io/inferenceservice": "other"}
    cache.put(Kind.POD, moved)
    assert cache.of_service(Kind.POD, KEY) == []
    assert cache.service_keys() == [ServiceKey("team", "other")]


def test_managed_fields_are_not_kept() -> None:
    cache = ObjectCache()
    heavy = worker(5)
    heavy["metadata"]["managedFields"] = [{"manager": "x"}]
    cache.put(Kind.POD, heavy)
    found = cache.get(Kind.POD, "team", "w")
    assert found
    assert "managedFields" not in found["metadata"]


def test_a_listing_of_a_history_that_was_put_back_replaces_everything() -> None:
    cache = ObjectCache()
    cache.replace_all(Kind.POD, [worker(50), worker(60, "u2", "later")], "70")
    assert cache.replace_all(Kind.POD, [worker(40)], "45") == {KEY}
    assert version(cache) == 40
    assert cache.get(Kind.POD, "team", "later") is None
    assert cache.put(Kind.POD, worker(46))


def test_what_a_listing_left_out_is_not_brought_back_by_an_old_event() -> None:
    cache = ObjectCache()
    cache.heard(Kind.POD, worker(5))
    cache.replace_all(Kind.POD, [], "10")
    assert not cache.heard(Kind.POD, worker(5))
    assert not cache.heard(Kind.POD, worker(9, uid="u2"))
    assert version(cache) is None


def test_what_is_newer_than_the_listing_is_believed() -> None:
    cache = ObjectCache()
    cache.replace_all(Kind.POD, [], "10")
    assert cache.heard(Kind.POD, worker(11))
    assert version(cache) == 11
