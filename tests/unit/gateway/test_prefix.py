"""What two prompts have in common."""

from __future__ import annotations

import json

from tidegate.gateway.prefix import PREFIX_BYTES, prompt_prefix

SYSTEM = {"role": "system", "content": "You are a helpful assistant. " * 60}


def chat(*messages: dict[str, str], **fields: object) -> bytes:
    return json.dumps({"model": "m", **fields, "messages": messages}).encode()


def test_the_number_is_the_same_in_every_process_and_version() -> None:
    assert prompt_prefix(b'{"prompt": "Once upon a time"}') == 0xAE442D1D28734B4E


def test_turns_of_one_long_conversation_begin_alike_and_other_conversations_do_not() -> None:
    first = chat(SYSTEM, {"role": "user", "content": "one"})
    second = chat(SYSTEM, {"role": "user", "content": "one"}, {"role": "assistant", "content": "two"})
    other = chat({**SYSTEM, "content": "Answer in French. " * 60}, {"role": "user", "content": "one"})
    assert prompt_prefix(first) == prompt_prefix(second) != prompt_prefix(other)


def test_fields_beside_the_prompt_and_what_comes_after_its_beginning_do_not_matter() -> None:
    text = "x" * PREFIX_BYTES
    same = {
        prompt_prefix(json.dumps({"prompt": text + end, "seed": n, "max_tokens": n}).encode())
        for n, end in enumerate(("", "y", "z" * 5000))
    }
    assert len(same) == 1


def test_a_short_prompt_counts_whole() -> None:
    assert prompt_prefix(b'{"prompt": "ab"}') != prompt_prefix(b'{"prompt": "ac"}')


def test_each_apis_prompt_is_found_and_what_precedes_it_counts() -> None:
    bodies = [
        b'{"messages": [{"role": "user", "content": "a"}]}',
        b'{"prompt": [1, 2, 3]}',
        b'{"input": ["a"]}',
        b'{"instructions": "b", "input": ["a"]}',
        b'{"system": "b", "messages": [{"role": "user", "content": "a"}]}',
    ]
    assert len({prompt_prefix(body) for body in bodies} - {0}) == len(bodies)


def test_a_body_without_a_prompt_has_no_prefix() -> None:
    assert prompt_prefix(b'{"model": "m"}') == prompt_prefix(b"{}") == 0
