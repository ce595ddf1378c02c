"""Fuzzing the body splicer: any bytes, and an object's edit is what parsing, editing and building gives."""

from __future__ import annotations

import json

from tidegate.gateway.splice import splice

EDITS = {"max_tokens": b"128", "model": b'"m"'}
SEEDS = (
    b'{"model":"a/b","max_tokens":500,"messages":[{"role":"user","content":"x"}]}',
    b'{"max\\u005ftokens" : 1e3 ,"a":{"max_tokens":-1.0},"max_tokens":null}',
    b' { } ',
    b'{"a":"\\"}{\\\\","b":[[],{},[{}]],"c":"\\u00e9\\ud83d\\ude00"}',
)  # fmt: skip


def check(data: bytes) -> None:
    """AssertionError where the result is not the right one."""
    spliced = splice(data, EDITS)
    try:
        parsed = json.loads(data.decode())
    except (ValueError, RecursionError):
        return  # the engine refuses it too
    if spliced is None:
        assert not isinstance(parsed, dict) or _beyond(data), "an object was not edited"
    else:
        assert json.loads(spliced) == {**parsed, "max_tokens": 128, "model": "m"}


def _beyond(data: bytes) -> bool:
    """What Python's json reads beyond RFC 8259 and Unicode: constants, half of a pair, no end of nesting."""
    return (
        any(word in data for word in (b"NaN", b"Infinity", b"\\u"))
        or data.count(b"[") + data.count(b"{") > 500
    )
