"""The small fields of a form are found and edited; what is no form is refused with the reason."""

from __future__ import annotations

import contextlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.multipart import MAX_PARTS, replaced, text_fields
from tidegate.gateway.peek_form import peek_form
from tidegate.gateway.request import Refusal

MODEL = frozenset({b"model"})
TYPE = b"multipart/form-data; boundary=X"
FILE = (
    b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"\x00\xff--X\r\n"
)
PART = b'--X\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
END = b"--X--\r\n"


@given(
    st.lists(st.tuples(st.sampled_from(["model", "prompt", "file"]), st.text(max_size=20)), max_size=5),
    st.binary(max_size=200),
)
def test_what_httpx_writes_is_read_and_edited(fields: list[tuple[str, str]], audio: bytes) -> None:
    files = [(name, (None, text)) for name, text in fields]
    request = httpx.Request("POST", "http://g", files=[*files, ("file", ("model", audio))])
    body, kind = request.read(), request.headers["content-type"].encode()
    found = text_fields(kind, body, MODEL).get(b"model", [])
    assert [field.text for field in found] == [text for name, text in fields if name == "model"]
    edited = replaced(body, found, b"new")
    renamed = [(name, (None, "new" if name == "model" else text)) for name, text in fields]
    boundary = {"content-type": request.headers["content-type"]}
    again = httpx.Request("POST", "http://g", files=[*renamed, ("file", ("model", audio))], headers=boundary)
    assert edited == again.read()


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([FILE, PART, END, b"--X", b"\r\n", b";"])).map(b"".join)
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(Refusal):
        for field in text_fields(TYPE, body, MODEL).get(b"model", []):
            assert body[field.start : field.end] == field.text.encode()


@pytest.mark.parametrize(
    ("kind", "body", "what"),
    [
        (b"multipart/mixed; boundary=X", PART + END, "only multipart/form-data"),
        (b"multipart/form-data", PART + END, "no valid boundary"),
        (b'multipart/form-data; boundary=""', PART + END, "no valid boundary"),
        (b"multipart/form-data; boundary=" + b"X" * 71, PART + END, "no valid boundary"),
        (b"multipart/form-data; boundary=X; boundary=Y", PART + END, "twice"),
        (b"multipart/form-data; boundary", PART + END, "malformed"),
        (TYPE, b"", "is not in it"),
        (TYPE, PART, "last boundary is missing"),
        (TYPE, b"--X\r\na: b\r\nx\r\n" + END, "empty line"),
        (TYPE, b"--X\r\na: b\r\n\r\nx\r\n" + END, "no Content-Disposition"),
        (TYPE, b"--Xy\r\n" + PART + END, "not alone"),
        (TYPE, PART.replace(b"whisper", b"w" * 1025) + END, "over 1024"),
        (TYPE, PART.replace(b"whisper", b"\xff") + END, "not UTF-8"),
        (TYPE, PART * (MAX_PARTS + 1) + END, "more than 1000 parts"),
    ],
)
def test_what_is_no_form_is_refused_with_the_reason(kind: bytes, body: bytes, what: str) -> None:
    with pytest.raises(Refusal, match=what):
        text_fields(kind, body, MODEL)


def test_the_last_of_two_models_counts_and_both_are_edited() -> None:
    body = PART + PART.replace(b"whisper", b"other") + FILE + END
    assert peek_form(TYPE, body, routed=False).model == "other"
    assert replaced(body, text_fields(TYPE, body, MODEL)[b"model"], b"m").count(b"\r\n\r\nm\r\n") == 2


def test_a_stream_is_asked_for_as_the_engine_would_read_it() -> None:
    stream = PART.replace(b"model", b"stream")
    assert peek_form(TYPE, stream.replace(b"whisper", b"True") + END, routed=False).stream is True
    assert peek_form(TYPE, stream.replace(b"whisper", b"false") + END, routed=False).stream is None


def test_a_file_named_model_is_not_the_model() -> None:
    body = PART.replace(b'"model"', b'"model"; filename="x"') + END
    assert peek_form(TYPE, body, routed=False).model is None
