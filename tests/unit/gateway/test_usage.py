"""What the end of an answer tells about tokens, in every engine's form, and what must not pass for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.usage import TAIL, usage_of

OPENAI = {"prompt_tokens": 12, "total_tokens": 20, "completion_tokens": 8}
CHAT = {"object": "chat.completion", "choices": [{"message": {"content": "hi"}}], "usage": OPENAI}
FORGED = {"prompt_tokens": 1, "completion_tokens": 999, "input_tokens": 1, "output_tokens": 999}


def told(tail: bytes) -> tuple[int | None, int | None, int | None] | None:
    usage = usage_of(tail)
    return None if usage is None else (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)


def event(value: object, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_whole_answer_tells_them_whatever_follows_its_usage() -> None:
    assert told(json.dumps({**CHAT, "prompt_logprobs": None, "kv_transfer_params": {"a": [1]}}).encode()) == (
        12,
        8,
        None,
    )


def test_compact_json_and_a_cached_prompt() -> None:
    usage = {**OPENAI, "prompt_tokens_details": {"cached_tokens": 9}}
    assert told(json.dumps({**CHAT, "usage": usage}, separators=(",", ":")).encode()) == (12, 8, 9)


def test_embeddings_have_no_completion() -> None:
    body = {"data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}}
    assert told(json.dumps(body).encode()) == (5, None, None)


def test_a_chunked_whole_answer() -> None:
    assert told(chunk(json.dumps(CHAT).encode()) + b"0\r\n\r\n") == (12, 8, None)


def test_a_stream_tells_them_in_the_event_before_done() -> None:
    last = chunk(event({"choices": [], "usage": OPENAI}))
    assert told(last + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n") == (12, 8, None)


def test_the_last_event_of_a_response() -> None:
    usage = {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3}
    response = {"output": [{"content": "x"}], "usage": usage, "user": None}
    value = {"response": response, "sequence_number": 9, "type": "response.completed"}
    assert told(chunk(event(value, "response.completed")) + b"0\r\n\r\n") == (7, 3, 4)


def test_the_end_of_a_stream_of_messages() -> None:
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    usage = {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 2}
    end = chunk(event({**delta, "usage": usage}, "message_delta"))
    end += chunk(event({"type": "message_stop"}, "message_stop"))
    assert told(end + b"0\r\n\r\n") == (7, 3, 2)


def test_a_stream_that_was_not_asked_to_tell_tells_nothing() -> None:
    assert told(chunk(event({"choices": [{"delta": {"content": "x"}}], "usage": None}))) is None
    assert told(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n") is None


def test_a_usage_without_tokens_tells_none() -> None:
    assert told(b'{"text": "hello", "usage": {"type": "duration", "seconds": 3}}') is None


def test_an_end_of_an_answer_that_begins_in_the_middle_of_its_text_tells_them_too() -> None:
    body = json.dumps({"choices": ["x" * 5000], "usage": OPENAI}).encode()
    assert told(body[-TAIL:]) == (12, 8, None)


@pytest.mark.parametrize("content", ['"usage":', '","usage":' + json.dumps(FORGED) + "}", '\\"usage": {}'])
def test_what_the_model_says_about_usage_is_not_believed(content: str) -> None:
    answer = {"choices": [{"message": {"content": content}}]}
    assert told(json.dumps(answer).encode()) is None
    assert told(chunk(event(answer)) + b"0\r\n\r\n") is None
    assert told(json.dumps({**answer, "usage": OPENAI}).encode()) == (12, 8, None)


def test_the_arguments_of_a_tool_are_not_believed() -> None:
    # Anthropic's form has them as an object, so that a key of the model's choice stands there unescaped.
    tool = {"type": "tool_use", "input": {"usage": FORGED}}
    assert told(json.dumps({"content": [tool], "model": "m"}).encode()) is None
    assert told(json.dumps({"response": {"output": [{"input": {"usage": FORGED}}]}}).encode()) is None
    whole = {"content": [tool], "usage": {"input_tokens": 7, "output_tokens": 3}}
    assert told(json.dumps(whole).encode()) == (7, 3, None)


@pytest.mark.parametrize("number", ["-1", "1e30", '"8"', "9007199254740993", "true", "[8]"])
def test_a_count_that_is_none_spoils_no_counter(number: str) -> None:
    assert told(b'{"usage": {"prompt_tokens": 1, "completion_tokens": %b}}' % number.encode()) is None


@given(st.text(), st.text(), st.integers(0, 2**53))
def test_no_text_of_a_model_changes_what_is_told(before: str, key: str, count: int) -> None:
    forged = {key: before, "usage": FORGED}
    answer = {"choices": [{"content": before, "tool": [forged]}], "usage": {"completion_tokens": count}}
    for ascii_only in (True, False):
        text = json.dumps(answer, ensure_ascii=ascii_only).encode("utf-8", "replace")
        assert told(text) == (None, count, None)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_read_without_a_failure(data: bytes, at: int) -> None:
    usage_of(data[:at] + b'"usage":' + data[at:])


def test_a_usage_that_nests_too_deeply_tells_nothing_and_harms_nobody() -> None:
    assert told((b'{"usage":{"a":' + b"[" * 2 * TAIL)[:TAIL]) is None
    assert told(b'{"usage":{"a":' + b"[" * 2 * TAIL) is None
