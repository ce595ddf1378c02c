"""Reads and edits the small text fields of a multipart form (RFC 7578), such as an audio upload's ``model``.

Nothing is copied but the fields that are asked for: a body of 25 MB costs one search for its boundary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.domain import api_errors as errors
from tidegate.gateway.request import Refusal

MAX_PARTS = 1000  # as many as Starlette's parser takes, which vLLM uses
MAX_PART_HEAD = 8 * 1024  # bytes
MAX_VALUE = 1024  # bytes of a text field that is read

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(
    rb"[ \t]*;[ \t]*(" + _TOKEN + rb")=(?:(" + _TOKEN + rb')|"((?:[^"\\\r\n]|\\[^\r\n])*)")'
)
_TYPE = re.compile(rb"multipart/form-data", re.IGNORECASE)
_DISPOSITION = re.compile(rb"(?:^|\r\n)content-disposition:[ \t]*form-data([^\r]*)", re.IGNORECASE)
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046, 5.1.1


@dataclass(frozen=True, slots=True)
class Field:
    """A text field: where its value begins and ends in the body, and the value."""

    start: int
    end: int
    text: str


def text_fields(content_type: bytes, body: bytes, wanted: frozenset[bytes]) -> dict[bytes, list[Field]]:
    """The fields of a form with those names, each with all its occurrences; files are passed over.

    Refusal (400) says what is wrong where ``body`` is no such form, or a wanted field is too long or no text.
    """
    delimiter = b"\r\n--" + _boundary(content_type)
    found: dict[bytes, list[Field]] = {}
    at = _first_part(body, delimiter)
    for _ in range(MAX_PARTS):
        after = body[at : at + 2]
        if after == b"--":
            return found
        line = body.find(b"\r\n", at)
        if line < 0 or body[at:line].strip(b" \t"):
            raise _bad("a boundary is not alone on its line")
        end = body.find(delimiter, line)
        if end < 0:
            raise _bad("its last boundary is missing")
        _read_part(body, line, end, wanted, found)
        at = end + len(delimiter)
    raise _bad(f"it has more than {MAX_PARTS} parts")


def _first_part(body: bytes, delimiter: bytes) -> int:
    """Where the first boundary ends; there may be a preamble before it."""
    if body.startswith(delimiter[2:]):
        return len(delimiter) - 2
    start = body.find(delimiter)
    if start < 0:
        raise _bad("the boundary of its Content-Type is not in it")
    return start + len(delimiter)


def _read_part(
    body: bytes, start: int, end: int, wanted: frozenset[bytes], found: dict[bytes, list[Field]]
) -> None:
    head_end = body.find(b"\r\n\r\n", start, min(end, start + MAX_PART_HEAD))
    if head_end < 0:
        raise _bad("a part has no empty line after its header, or too long a header")
    disposition = _DISPOSITION.search(body, start, head_end)
    if disposition is None:
        raise _bad("a part has no Content-Disposition: form-data")
    parameters = _parameters(disposition[1])
    name = parameters.get(b"name")
    if name not in wanted or name is None or b"filename" in parameters or b"filename*" in parameters:
        return
    value = body[head_end + 4 : end]
    if len(value) > MAX_VALUE:
        raise _bad(f"its field {name.decode()} is over {MAX_VALUE} bytes", name.decode())
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise _bad(f"its field {name.decode()} is not UTF-8", name.decode()) from None
    found.setdefault(name, []).append(Field(head_end + 4, end, text))


def replaced(body: bytes, fields: list[Field], value: bytes) -> bytes:
    """``body`` with another value in each of ``fields``."""
    pieces: list[bytes] = []
    copied = 0
    for field in fields:
        pieces += (body[copied : field.start], value)
        copied = field.end
    return b"".join((*pieces, body[copied:]))


def _boundary(content_type: bytes) -> bytes:
    kind = _TYPE.match(content_type)
    if kind is None:
        raise _bad("only multipart/form-data is read")
    boundary = _parameters(content_type[kind.end() :]).get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise _bad("its Content-Type has no valid boundary of 1 to 70 characters")
    return boundary


def _parameters(text: bytes) -> dict[bytes, bytes]:
    """``; name=value; name="value"`` and so on; names in lower case, none of them twice."""
    text = text.rstrip(b" \t")
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        parameter = _PARAMETER.match(text, at)
        if parameter is None or parameter[1].lower() in found:
            raise _bad("a parameter in a header is malformed, or there twice")
        quoted: bytes | None = parameter[3]
        found[parameter[1].lower()] = parameter[2] if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted)
        at = parameter.end()
    return found


def _bad(what: str, param: str | None = None) -> Refusal:
    return Refusal(errors.bad_body(f"the multipart form cannot be read: {what}", param=param))
