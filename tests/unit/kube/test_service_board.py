"""Joining services and pods, and telling only what changed."""

import logging
from typing import Any

import pytest

from tests.unit.kube.fakes import RecordingSink, parse, pod, service
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.kube.client import WatchEvent
from tidegate.kube.reflector import Mirror
from tidegate.kube.service_board import ServiceBoard

QWEN = ServiceKey("a", "qwen")


def board_of(sink: RecordingSink, *, synced: bool = True) -> ServiceBoard:
    board = ServiceBoard(sink, parse)
    if synced:
        board.services.listed([service("qwen")])
        board.pods.listed([])
        sink.log.clear()
    return board


def event(kind: str, item: dict[str, Any]) -> WatchEvent:
    return WatchEvent(kind, item)


@pytest.mark.parametrize("services_first", [True, False])
def test_nothing_is_told_before_services_and_pods_are_both_known(services_first: bool) -> None:
    sink = RecordingSink()
    board = board_of(sink, synced=False)
    steps: list[tuple[Mirror, list[Any]]] = [
        (board.services, [service("qwen")]),
        (board.pods, [pod("p1", "qwen")]),
    ]
    (first, its_items), (second, other_items) = steps if services_first else steps[::-1]
    first.listed(its_items)
    assert sink.log == []
    second.listed(other_items)
    assert sink.log == ["changed a/qwen 1", "synced"]


def test_synced_is_said_once_however_often_it_is_listed() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.services.listed([service("qwen")])
    board.pods.listed([])
    assert sink.log == []


def test_what_a_listing_lacks_is_removed() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.pods.changed(event("ADDED", pod("p1", "qwen")))
    board.pods.listed([pod("p2", "qwen")])
    assert sink.uids(QWEN) == ["p2"]
    board.services.listed([])
    assert sink.views == {}
    assert sink.log[-1] == "removed a/qwen"


def test_an_event_that_changes_nothing_for_a_gateway_is_not_told() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.pods.changed(event("ADDED", pod("p1", "qwen")))
    board.pods.changed(event("MODIFIED", pod("p1", "qwen", 2, annotations={"seen": "by somebody"})))
    board.services.changed(event("MODIFIED", service("qwen", 2, status="Running")))
    assert sink.log == ["changed a/qwen 1"]


def test_pods_that_come_before_their_service_are_kept_for_it() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.pods.changed(event("ADDED", pod("p1", "late")))
    assert sink.log == []
    board.services.changed(event("ADDED", service("late")))
    assert sink.uids(ServiceKey("a", "late")) == ["p1"]


def test_a_pod_that_is_relabelled_leaves_its_service() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.pods.changed(event("ADDED", pod("p1", "qwen")))
    board.pods.changed(event("MODIFIED", pod("p1", "quarantine", 2)))
    assert sink.uids(QWEN) == []


def test_a_deleted_pod_and_a_deleted_service_go() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.pods.changed(event("ADDED", pod("p1", "qwen")))
    board.pods.changed(event("DELETED", pod("p1", "qwen")))
    assert sink.uids(QWEN) == []
    board.services.changed(event("DELETED", service("qwen")))
    board.pods.changed(event("DELETED", pod("p1", "qwen")))
    assert sink.log == ["changed a/qwen 1", "changed a/qwen 0", "removed a/qwen"]


def test_a_service_that_cannot_be_read_is_named_once_and_keeps_its_last_good_form(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.services.changed(event("MODIFIED", service("qwen", 2, depth=7)))
    with caplog.at_level(logging.WARNING):
        for version in range(3, 6):
            board.services.changed(event("MODIFIED", service("qwen", version, wrong="is not a number")))
    assert [record.getMessage() for record in caplog.records] == [
        "InferenceService a/qwen is skipped: spec.wrong: is not a number"
    ]
    assert sink.views[QWEN].config.max_depth == 7


def test_a_service_that_never_could_be_read_does_not_hold_up_the_others() -> None:
    sink = RecordingSink()
    board = board_of(sink, synced=False)
    board.services.listed([service("bad", wrong="x"), service("qwen")])
    board.pods.listed([])
    assert sink.log == ["changed a/qwen 0", "synced"]


def test_a_listing_parses_only_what_has_changed() -> None:
    parsed: list[str] = []

    def counting(raw: dict[str, Any]) -> ServiceConfig:
        parsed.append(raw["metadata"]["name"])
        return parse(raw)

    board = ServiceBoard(RecordingSink(), counting)
    board.services.listed([service("a"), service("b")])
    board.services.listed([service("a"), service("b", 2), service("c")])
    assert parsed == ["a", "b", "b", "c"]


def test_a_service_that_is_made_again_is_parsed_again() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.services.changed(event("DELETED", service("qwen")))
    board.services.changed(event("ADDED", service("qwen")))
    assert sink.log == ["removed a/qwen", "changed a/qwen 0"]


def test_a_listing_moves_what_was_relabelled_and_keeps_what_was_not_touched() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.services.changed(event("ADDED", service("other")))
    board.pods.listed([pod("p1", "qwen"), pod("p2", "qwen"), pod("p3", "qwen")])
    board.pods.listed([pod("p1", "qwen"), pod("p2", "other", 2)])
    assert sink.uids(QWEN) == ["p1"]
    assert sink.uids(ServiceKey("a", "other")) == ["p2"]


def test_a_pod_that_has_ended_for_good_leaves_though_its_object_stays() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    board.pods.changed(event("ADDED", pod("p1", "qwen")))
    ended = pod("p1", "qwen", 2) | {"status": {"phase": "Failed"}}
    board.pods.changed(event("MODIFIED", ended))
    assert sink.uids(QWEN) == []
    board.pods.changed(event("DELETED", ended))
    assert sink.log == ["changed a/qwen 1", "changed a/qwen 0"]


def test_a_service_that_is_being_deleted_is_gone_however_long_a_finalizer_holds_it() -> None:
    sink = RecordingSink()
    board = board_of(sink)
    held = service("qwen", version=2)
    held["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    board.services.changed(event("MODIFIED", held))
    assert sink.log == ["removed a/qwen"]
    board.services.changed(event("MODIFIED", held))
    board.services.changed(event("DELETED", held))
    assert sink.log == ["removed a/qwen"]
