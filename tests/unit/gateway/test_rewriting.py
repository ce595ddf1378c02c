"""Which members of a body change, on which path."""

from __future__ import annotations

import logging

import pytest

from tidegate.domain.degradation import Degradation, Step
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.gateway.peek import peek
from tidegate.gateway.request import Refusal
from tidegate.gateway.rewriting import TierWatch, aliases, limiting

CHAT, PLAIN = b"/v1/chat/completions", b"/v1/completions"


@pytest.mark.parametrize(
    ("path", "body", "edited"),
    [
        (CHAT, b"{}", {"max_tokens"}),
        (CHAT, b'{"max_tokens":null}', {"max_tokens"}),
        (CHAT, b'{"max_completion_tokens":null,"max_tokens":500}', {"max_tokens"}),
        (CHAT, b'{"max_completion_tokens":500}', {"max_completion_tokens"}),
        (CHAT, b'{"max_completion_tokens":500,"max_tokens":600}', {"max_completion_tokens", "max_tokens"}),
        (CHAT, b'{"max_completion_tokens":0}', {"max_tokens"}),
        (CHAT, b'{"max_completion_tokens":50}', set()),
        (CHAT, b'{"max_tokens":128}', set()),
        (CHAT, b'{"max_tokens":"900"}', {"max_tokens"}),
        (CHAT, b'{"max_tokens":"lots"}', set()),
        (CHAT + b"?beta=1", b"{}", {"max_tokens"}),
        (b"/v1/chat/completion%73", b"{}", {"max_tokens"}),
        (CHAT, b'{"max_tokens":500,"min_tokens":200}', {"max_tokens", "min_tokens"}),
        (CHAT, b'{"max_tokens":500,"min_tokens":20}', {"max_tokens"}),
        (PLAIN, b"{}", set()),  # the engine's own default is 16
        (PLAIN, b'{"max_tokens":null}', {"max_tokens"}),
        (PLAIN, b'{"max_tokens":0}', set()),
        (PLAIN, b'{"max_tokens":500}', {"max_tokens"}),
        (b"/v1/responses", b'{"max_tokens":500}', {"max_output_tokens"}),
        (b"/v1/responses", b'{"max_output_tokens":500}', {"max_output_tokens"}),
        (b"/v1/messages", b'{"max_tokens":500}', {"max_tokens"}),
        (b"/v1/embeddings", b"{}", set()),
        (b"/v1/audio/transcriptions", b'{"max_completion_tokens":500}', set()),
        (b"/tokenize", b"{}", set()),
    ],
)
def test_the_limits_that_an_endpoint_reads_are_lowered(path: bytes, body: bytes, edited: set[str]) -> None:
    assert limiting(path, peek(body), 128) == dict.fromkeys(edited, b"128")


def test_a_limit_below_the_engines_default_is_set_where_the_body_has_none() -> None:
    assert limiting(PLAIN, peek(b"{}"), 8) == {"max_tokens": b"8"}


def test_names_with_the_namespace_are_aliases_unless_the_engine_knows_them() -> None:
    config = ServiceConfig(ServiceKey("a", "s"), 0.0, ("m", "a/x"))
    assert aliases(config) == {"s", "a/s", "a/m", "a/a/x"}


def test_a_body_that_nests_too_deeply_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="too deeply"):
        peek(b'{"a":' + b"[" * 100_000)


def test_a_number_out_of_range_is_refused_with_its_fields_name() -> None:
    with pytest.raises(Refusal, match="max_tokens: number out of range"):
        peek(b'{"max_tokens":1e999}')


def test_the_log_says_when_a_tier_begins_and_ends_and_not_for_each_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch, degradation = TierWatch(ServiceKey("a", "s")), Degradation(None, (Step(32, 128), Step(64, 96)))
    with caplog.at_level(logging.INFO):
        for depth in (50, 51, 20, 50):
            tier = degradation.tier(depth)
            watch.reached(tier, degradation.limit(tier), depth)
        watch.sweep(degradation, 40)
        assert caplog.messages == ["a/s: Degradation tier 1 active (queue_depth=50): max_tokens=128"]
        watch.sweep(degradation, 3)
        watch.sweep(degradation, 3)
    assert caplog.messages[1:] == [
        "a/s: Degradation tier 0 again, degradation has ended (queue_depth=3): max_tokens=as asked"
    ]


def test_the_log_says_that_a_tier_has_ended_where_degradation_was_switched_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = TierWatch(ServiceKey("a", "s"))
    watch.reached(2, 96, 70)
    watch.sweep(None, 70)
    assert "Degradation tier 0 again" in caplog.messages[-1]
