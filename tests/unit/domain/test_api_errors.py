"""Errors in OpenAI's shape."""

from __future__ import annotations

import json

import pytest

from tidegate.domain import api_errors as errors
from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey

KEY = ServiceKey("team-a", "qwen")
ALL = [
    errors.invalid("Host: missing"),
    errors.bad_body("the body is not JSON", param="model"),
    errors.too_large(11, 10),
    errors.body_timeout(30),
    errors.model_not_found('a "quoted" name'),
    errors.no_service_named(),
    errors.no_such_path("GET", "/x"),
    errors.suspended(KEY),
    errors.removed(KEY),
    errors.gateway_not_ready(),
    errors.gateway_draining(),
    errors.gateway_full(1),
    errors.overload(KEY, 129, 128, 5),
    errors.bytes_overload(KEY, 10, 5),
    errors.queue_timeout(KEY, 120, 5),
    errors.cold_start_timeout(KEY, 300, 5, "no rights"),
    errors.worker_failed(KEY, 3, "reset"),
    errors.worker_died(KEY, "reset"),
    errors.execution_timeout(KEY, 300),
    errors.worker_answered(400, "no such adapter"),
    errors.worker_answered(502, "too long"),
]


@pytest.mark.parametrize("error", ALL, ids=[error.code for error in ALL])
def test_a_body_has_the_five_fields_and_a_message(error: errors.ApiError) -> None:
    told = json.loads(error.body())
    assert list(told) == ["error"]
    assert set(told["error"]) == {"message", "type", "code", "param", "reason"}
    assert told["error"]["message"]
    assert 400 <= error.status < 600


@pytest.mark.parametrize("error", ALL, ids=[error.code for error in ALL])
def test_the_type_follows_the_status(error: errors.ApiError) -> None:
    wanted = errors.RATE if error.status == 429 else errors.INVALID if error.status < 500 else errors.SERVER
    assert error.type == wanted


@pytest.mark.parametrize("error", [e for e in ALL if e.status in (429, 503)], ids=lambda e: e.code)
def test_what_may_be_tried_again_says_when_unless_only_an_administrator_can_help(
    error: errors.ApiError,
) -> None:
    assert (error.retry_after is None) == (error.code in ("suspended", "service_removed"))


def test_an_error_event_is_one_server_sent_event() -> None:
    event = errors.worker_died(KEY, "reset").event()
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 2


def test_an_outcome_is_rejected_or_not_by_its_name() -> None:
    assert Outcome.REJECTED_OVERLOAD.rejected
    assert not Outcome.EVICTED_QUEUE_TIMEOUT.rejected
    assert not Outcome.COMPLETED.rejected
