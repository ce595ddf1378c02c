"""Members of a JSON object are edited where they stand, and nothing else of its bytes changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.gateway.splice import MAX_MEMBERS, appended, splice

NAMES = st.sampled_from(["max_tokens", "model", "a", "", 'q"', "\\", "é", "\U0001f600"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=5
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["1e3", "1.0", "-1", "-0", "1E-2", "0.5"])
)
STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['{"max_tokens":1}', "}", '"', "\\", '\\"', "],[", '","max_tokens":7']
)
BLANKS = st.text(" \t\r\n", max_size=3)


def escaped(text: str, hard: bool) -> str:
    """A JSON string; ``hard``: each character that allows it as an escape."""
    if not hard:
        return json.dumps(text, ensure_ascii=False)
    return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1] for c in text) + '"'


@st.composite
def values(draw: st.DrawFn, depth: int = 3) -> str:
    """JSON text of any kind, with blanks wherever they may be."""
    kind = draw(st.sampled_from(["scalar", "string", "list", "object"] if depth else ["scalar", "string"]))
    if kind == "scalar":
        scalar = draw(SCALARS)
        return scalar if isinstance(scalar, str) else json.dumps(scalar)
    if kind == "string":
        return escaped(draw(STRINGS), draw(st.booleans()))
    if kind == "list":
        parts = draw(st.lists(values(depth - 1), max_size=3))
        return "[" + ",".join(f"{draw(BLANKS)}{part}{draw(BLANKS)}" for part in parts) + "]"
    return draw(objects(depth - 1))


@st.composite
def objects(draw: st.DrawFn, depth: int = 3) -> str:
    """The text of an object in which names may stand twice."""
    members = draw(st.lists(st.tuples(NAMES, values(depth)), max_size=4))
    texts = (
        "".join((draw(BLANKS), escaped(name, draw(st.booleans())), draw(BLANKS), ":", draw(BLANKS), value))
        for name, value in members
    )
    return "{" + ",".join(texts) + (draw(BLANKS) if not members else "") + "}"


EDITS = st.dictionaries(NAMES, st.sampled_from([b"128", b"null", b'"x"', b'{"a":[1]}']), max_size=3)


@given(objects(), EDITS, BLANKS, BLANKS)
@example('{"max\\u005ftokens": 5}', {"max_tokens": b"128"}, "", "")
@example("{}", {"max_tokens": b"128"}, "", "")
@example('{"max_tokens":1,"a":{"max_tokens":2},"max_tokens":3}', {"max_tokens": b"128"}, " ", "\n")
def test_splicing_is_parsing_editing_and_building(text: str, edits: dict[str, bytes], a: str, b: str) -> None:
    body = (a + text + b).encode()
    wanted = {**json.loads(body), **{name: json.loads(value) for name, value in edits.items()}}
    spliced = splice(body, edits)
    assert spliced is not None
    assert json.loads(spliced) == wanted
    if json.loads(body):
        assert json.loads(appended(body, edits)) == wanted


def marked(members: list[tuple[str, str]], edits: dict[str, bytes]) -> bytes:
    """What must come out, built from the pieces that went in."""
    present = {json.loads(name) for name, _ in members}
    new = [f"{json.dumps(n, ensure_ascii=False)}:{v.decode()}" for n, v in edits.items() if n not in present]
    kept = [f" {n} :\t{edits[json.loads(n)].decode() if json.loads(n) in edits else v}" for n, v in members]
    return ("{" + ",".join(new + kept) + "}").encode()


@given(
    st.lists(st.tuples(st.tuples(NAMES, st.booleans()).map(lambda n: escaped(*n)), values()), max_size=5),
    EDITS,
)
def test_not_a_byte_changes_but_the_edited_values(
    members: list[tuple[str, str]], edits: dict[str, bytes]
) -> None:
    body = ("{" + ",".join(f" {name} :\t{value}" for name, value in members) + "}").encode()
    assert splice(body, edits) == marked(members, edits)


@given(st.binary(max_size=60) | objects().map(str.encode), st.binary(max_size=3), st.integers(0, 60))
def test_any_bytes_are_edited_as_a_parser_would_or_left_alone(body: bytes, noise: bytes, at: int) -> None:
    broken = body[:at] + noise + body[at + len(noise) :]
    spliced = splice(broken, {"max_tokens": b"128"})
    try:
        parsed: Any = json.loads(broken)
    except (ValueError, RecursionError):
        return
    if spliced is not None:
        assert json.loads(spliced) == {**parsed, "max_tokens": 128}


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"[]",
            b"1",
            b'"{}"',
            b"{",
            b'{"a":1,}',
            b'{"a":01}',
            b"{} x",
            b'\xef\xbb\xbf{"a":1}',
            b"{\x00}",
        ),
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_what_is_no_object_is_left_alone(body: bytes) -> None:
    assert splice(body, {"max_tokens": b"128"}) is None


def test_every_occurrence_of_a_name_gets_the_value_however_it_is_written() -> None:
    body = b'{"max_tokens":9000,"max\\u005ftokens" : "9000","x":{"max_tokens":1},"max_tokens":null}'
    wanted = b'{"max_tokens":128,"max\\u005ftokens" : 128,"x":{"max_tokens":1},"max_tokens":128}'
    assert splice(body, {"max_tokens": b"128"}) == wanted


@pytest.mark.parametrize("value", [b"1e3", b"1.0", b"-1", b"null", b'"9"', b"[{}]", b"9" * 5000, b"1e999"])
def test_a_value_of_any_kind_is_replaced_whole(value: bytes) -> None:
    assert splice(b'{"n":' + value + b',"b":2}', {"n": b"7"}) == b'{"n":7,"b":2}'


@pytest.mark.parametrize("filling", ["", "x" * 70_000])
def test_more_members_than_any_request_has_get_the_edit_at_their_end(filling: str) -> None:
    body = b'{"max_tokens":1,"f":"' + filling.encode() + b'"' + b',"a":1' * MAX_MEMBERS + b"} "
    spliced = splice(body, {"max_tokens": b"128"})
    assert spliced == body[:-2] + b',"max_tokens":128} '
    assert splice(body[:-2], {"max_tokens": b"128"}) is None
