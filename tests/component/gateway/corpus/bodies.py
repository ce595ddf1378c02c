"""Where a body ends: Content-Length, Transfer-Encoding, chunks and trailers."""

from __future__ import annotations

from tests.component.gateway.corpus.case import (
    GET_X,
    SMUGGLED,
    Case,
    X,
    accepted,
    chunked,
    get,
    lines,
    put,
    put_x,
    refused,
)

_END = b"0\r\n\r\n"


def _length(value: bytes, body: bytes = b"a") -> bytes:
    return put(b"Content-Length:" + value, body=body)


def _coding(*values: bytes) -> bytes:
    return put(*(b"Transfer-Encoding:" + value for value in values), body=b"1\r\na\r\n" + _END)


LENGTHS: list[Case] = [
    refused("length-empty", "A length without a value.", _length(b"")),
    refused("length-space", "A length of white space.", _length(b"  ")),
    refused("length-plus", "A sign before the length.", _length(b" +1")),
    refused("length-minus", "A negative length.", _length(b" -1")),
    refused("length-minus-zero", "Zero with a sign.", _length(b" -0", b"")),
    refused("length-hex", "A hexadecimal length.", _length(b" 0x1")),
    refused("length-hex-letters", "Letters of a hexadecimal number.", _length(b" a", b"a" * 10)),
    refused("length-octal", "A prefix of another language.", _length(b" 0o1")),
    refused("length-float", "A fraction.", _length(b" 1.0")),
    refused("length-exponent", "An exponent.", _length(b" 1e0")),
    refused("length-underscore", "An underscore between digits.", _length(b" 1_0", b"a" * 10)),
    refused("length-comma", "A comma between digits.", _length(b" 1,000")),
    refused("length-quoted", "A quoted length.", _length(b' "1"')),
    refused("length-word", "A word.", _length(b" one")),
    refused("length-two-numbers", "Two numbers.", _length(b" 1 1")),
    refused("length-list", "A list of the same length.", _length(b" 1, 1")),
    refused("length-list-different", "A list of two lengths.", _length(b" 1, 2")),
    refused("length-list-comma", "A comma after the length.", _length(b" 1,")),
    refused("length-semicolon", "A parameter of the length.", _length(b" 1;a=b")),
    refused("length-letter", "A letter after the length.", _length(b" 1a")),
    refused("length-nul", "NUL after the length.", _length(b" 1\x00")),
    refused("length-vt", "A vertical tab before the length.", _length(b" \x0b1")),
    refused("length-tab", "A tab before the length.", _length(b"\t1")),
    refused("length-tab-after", "A tab after the length.", _length(b" 1\t")),
    refused("length-nbsp", "A no-break space before the length.", _length(b" \xa01")),
    refused("length-eight-bits", "Digits of another script.", _length(" \u0661".encode())),
    refused("length-20-digits", "A length beyond 64 bits.", _length(b" 18446744073709551617")),
    refused(
        "length-wraps",
        "A length that wraps round to 1 in 64 bits.",
        _length(b" 18446744073709551617")[:-1] + b"a" + SMUGGLED,
    ),
    refused("length-wraps-32", "A length that wraps round to 1 in 32 bits.", _length(b" 4294967297"), 413),
    refused("length-63-bits", "The longest length of 63 bits.", _length(b" 9223372036854775807"), 413),
    refused("length-100-digits", "A length of a hundred digits.", _length(b" " + b"9" * 100)),
    refused(
        "length-twice", "The same length twice.", put(b"Content-Length: 1", b"Content-Length: 1", body=b"a")
    ),
    refused(
        "length-twice-different", "Two lengths.", put(b"Content-Length: 1", b"Content-Length: 2", body=b"ab")
    ),
    refused(
        "length-twice-zero",
        "A length and zero.",
        put(b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    ),
    refused(
        "length-twice-case",
        "Two lengths in two spellings.",
        put(b"Content-Length: 1", b"CONTENT-LENGTH: 2", body=b"ab"),
    ),
    refused(
        "length-twice-empty",
        "A length and an empty one.",
        put(b"Content-Length: 1", b"Content-Length:", body=b"a"),
    ),
    refused(
        "length-get-twice",
        "Two lengths on a GET.",
        get(b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED,
    ),
    refused("body-too-large", "A body beyond every service's limit.", _length(b" 100000001", b""), 413),
    accepted("length", "A length.", _length(b" 1"), put_x(b"a")),
    accepted("length-zero", "No body, said aloud.", _length(b" 0", b""), put_x()),
    accepted("length-no-space", "No space before the length.", _length(b"1"), put_x(b"a")),
    accepted("length-spaces", "Spaces around the length.", _length(b"   1   "), put_x(b"a")),
    accepted("length-zeros", "Zeros before the length.", _length(b" 0001"), put_x(b"a")),
    accepted("length-get", "A GET with a body.", get(b"Content-Length: 0")),
    accepted(
        "length-hides-request",
        "A request as a body.",
        _length(b" %d" % len(SMUGGLED), SMUGGLED),
        put_x(SMUGGLED),
    ),
    accepted("length-case", "The name in capitals.", put(b"CONTENT-LENGTH: 1", body=b"a"), put_x(b"a")),
    accepted(
        "length-underscore-name", "Another field of a similar name is no length.", get(b"Content_Length: 5")
    ),
    accepted(
        "lengths-pipelined",
        "Two bodies, one after the other.",
        _length(b" 1") + _length(b" 2", b"bc"),
        put_x(b"a"),
        put_x(b"bc"),
    ),
    refused(
        "body-longer",
        "A body is longer than its length.",
        _length(b" 1", b"abc\r\n\r\n"),
        501,
        (put_x(b"a"),),
    ),
    refused(
        "no-length-body",
        "A body without any framing is the next request.",
        put(body=b"abc\r\n\r\n"),
        501,
        (put_x(),),
    ),
]

CODINGS: list[Case] = [
    refused("te-and-cl", "A coding and a length.", chunked(_END, b"Content-Length: 5")),
    refused(
        "cl-and-te",
        "A length and a coding.",
        put(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=_END),
    ),
    refused(
        "te-and-cl-smuggles",
        "A request behind the chunks, inside the length.",
        chunked(_END + SMUGGLED, b"Content-Length: %d" % (5 + len(SMUGGLED))),
    ),
    refused(
        "te-and-cl-zero",
        "A coding and a length of zero.",
        chunked(b"1\r\na\r\n" + _END, b"Content-Length: 0"),
    ),
    refused("te-and-cl-bad", "A coding and a bad length.", chunked(_END, b"Content-Length: x")),
    refused(
        "te-identity-and-cl",
        "The coding that is none, and a length.",
        put(b"Transfer-Encoding: identity", b"Content-Length: 1", body=b"a"),
    ),
    refused("te-gzip", "A coding that is not spoken.", _coding(b" gzip"), 501),
    refused("te-identity", "The coding that is none.", _coding(b" identity"), 501),
    refused("te-unknown", "A coding that nobody knows.", _coding(b" xchunked"), 501),
    refused("te-suffix", "A letter after the coding.", _coding(b" chunkedx"), 501),
    refused("te-empty", "No coding.", _coding(b"")),
    refused("te-list", "Compressed, then chunked.", _coding(b" gzip, chunked"), 501),
    refused("te-list-reversed", "Chunked, then compressed.", _coding(b" chunked, gzip")),
    refused("te-identity-list", "None, then chunked.", _coding(b" identity, chunked"), 501),
    refused("te-double-list", "Chunked twice in a list.", _coding(b" chunked, chunked")),
    refused("te-double-list-case", "Chunked twice in two spellings.", _coding(b" chunked, CHUNKED")),
    refused("te-double", "Chunked twice in two lines.", _coding(b" chunked", b" chunked")),
    refused(
        "te-double-other", "Chunked, and another coding in a second line.", _coding(b" chunked", b" gzip")
    ),
    refused(
        "te-double-first",
        "Another coding, and chunked in a second line.",
        _coding(b" gzip", b" chunked"),
        501,
    ),
    refused("te-double-identity", "Chunked, and none in a second line.", _coding(b" chunked", b" identity")),
    refused("te-double-empty", "Chunked, and an empty second line.", _coding(b" chunked", b"")),
    refused("te-comma-after", "A comma after the coding.", _coding(b" chunked,")),
    refused("te-comma-before", "A comma before the coding.", _coding(b" ,chunked"), 501),
    refused("te-parameter", "A parameter of the coding.", _coding(b" chunked;q=1"), 501),
    refused("te-quoted", "A quoted coding.", _coding(b' "chunked"'), 501),
    refused("te-quotes-single", "Single quotes around the coding.", _coding(b" 'chunked'"), 501),
    refused("te-vt", "A vertical tab before the coding.", _coding(b" \x0bchunked")),
    refused("te-ff", "A form feed before the coding.", _coding(b" \x0cchunked")),
    refused("te-nul", "NUL after the coding.", _coding(b" chunked\x00")),
    refused("te-tab", "A tab before the coding.", _coding(b"\tchunked"), 501),
    refused("te-tab-after", "A tab after the coding.", _coding(b" chunked\t"), 501),
    refused("te-nbsp", "A no-break space before the coding.", _coding(b" \xa0chunked"), 501),
    refused("te-eight-bits", "The Kelvin sign in place of k.", _coding(" chun\u212aed".encode()), 501),
    refused(
        "te-1.0",
        "HTTP/1.0 has no codings.",
        lines(b"PUT " + X + b" HTTP/1.0", b"Host: g", b"Transfer-Encoding: chunked", body=_END),
    ),
    refused(
        "te-1.0-keep-alive",
        "HTTP/1.0 has no codings, kept alive or not.",
        lines(
            b"PUT " + X + b" HTTP/1.0",
            b"Host: g",
            b"Connection: keep-alive",
            b"Transfer-Encoding: chunked",
            body=_END,
        ),
    ),
    refused(
        "te-1.0-and-cl",
        "HTTP/1.0 with a coding and a length.",
        lines(
            b"PUT " + X + b" HTTP/1.0",
            b"Host: g",
            b"Content-Length: 5",
            b"Transfer-Encoding: chunked",
            body=_END,
        ),
    ),
    refused("te-get-gzip", "A GET with an unknown coding.", get(b"Transfer-Encoding: gzip"), 501),
    accepted("te", "A chunked body.", _coding(b" chunked"), put_x(b"a")),
    accepted("te-case", "The coding in capitals.", _coding(b" CHUNKED"), put_x(b"a")),
    accepted("te-mixed-case", "The coding in both cases.", _coding(b" cHuNkEd"), put_x(b"a")),
    accepted("te-no-space", "No space before the coding.", _coding(b"chunked"), put_x(b"a")),
    accepted("te-spaces", "Spaces around the coding.", _coding(b"   chunked   "), put_x(b"a")),
    accepted("te-name-case", "The name in capitals.", put(b"TRANSFER-ENCODING: chunked", body=_END), put_x()),
    accepted(
        "te-like-name", "Another field of a similar name is no coding.", get(b"Transfer_Encoding: chunked")
    ),
    accepted(
        "te-hides-request",
        "A request as a chunk.",
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
        put_x(SMUGGLED),
    ),
    accepted(
        "te-pipelined",
        "A chunked body and another request.",
        _coding(b" chunked") + get(),
        put_x(b"a"),
        GET_X,
    ),
]

_SIZES: tuple[tuple[str, bytes, str], ...] = (
    ("empty", b"", "An empty size."),
    ("0x", b"0x1", "A prefix of another language."),
    ("plus", b"+1", "A sign."),
    ("minus", b"-1", "A negative size."),
    ("minus-zero", b"-0", "Zero with a sign."),
    ("space-before", b" 1", "A space before the size."),
    ("tab-before", b"\t1", "A tab before the size."),
    ("space-after", b"1 ", "A space after the size."),
    ("tab-after", b"1\t", "A tab after the size."),
    ("letter", b"g", "No hexadecimal digit."),
    ("letter-after", b"1g", "A letter after the size."),
    ("comma", b"1,", "A comma after the size."),
    ("point", b"1.0", "A fraction."),
    ("underscore", b"1_0", "An underscore between digits."),
    ("two-words", b"1 1", "Two numbers."),
    ("colon", b"1:a", "A colon in place of a semicolon."),
    ("quoted", b'"1"', "A quoted size."),
    ("nul", b"1\x00", "NUL after the size."),
    ("vt", b"1\x0b", "A vertical tab after the size."),
    ("eight-bits", b"1\xff", "A byte over 127 after the size."),
    ("17-digits", b"1" + b"0" * 15 + b"1", "A size beyond 64 bits."),
    ("16-digits-f", b"f" * 16, "The longest size of 64 bits, which is -1 when signed."),
    ("100-zeros", b"0" * 100 + b"1", "A hundred zeros before the size."),
    ("extension-nul", b"1;a\x00", "NUL in an extension."),
    ("extension-control", b"1;a\x01", "A control byte in an extension."),
    ("extension-del", b"1;a\x7f", "DEL in an extension."),
    ("extension-lf", b"1;a\nb", "A bare LF in an extension."),
    ("extension-cr", b"1;a\rb", "A bare CR in an extension."),
    ("extension-quoted-crlf", b'1;a="\r\n"', "A line end inside a quoted extension."),
    ("extension-quoted-lf", b'1;a="\n"', "A bare LF inside a quoted extension."),
)

CHUNKS: list[Case] = [
    *(refused(f"chunk-{name}", f"{why}", chunked(size + b"\r\na\r\n" + _END)) for name, size, why in _SIZES),
    refused(
        "chunk-extension-2k", "An extension of 2 KB.", chunked(b"1;" + b"a" * 2000 + b"\r\na\r\n" + _END), 431
    ),
    refused("chunk-bare-lf", "A size ends in a bare LF.", chunked(b"1\na\r\n" + _END)),
    refused("chunk-bare-cr", "A size ends in a bare CR.", chunked(b"1\ra\r\n" + _END)),
    refused("chunk-cr-cr-lf", "A size ends in CR CR LF.", chunked(b"1\r\r\na\r\n" + _END)),
    refused("chunk-data-bare-lf", "A chunk ends in a bare LF.", chunked(b"1\r\na\n" + _END)),
    refused("chunk-data-bare-cr", "A chunk ends in a bare CR.", chunked(b"1\r\na\r0\r\n\r\n")),
    refused("chunk-data-no-end", "A chunk has no line end.", chunked(b"1\r\na" + _END)),
    refused("chunk-longer", "A chunk is longer than its size.", chunked(b"1\r\nab\r\n" + _END)),
    refused("chunk-shorter", "A chunk is shorter than its size.", chunked(b"3\r\na\r\n" + _END)),
    refused("chunk-extra-line", "An empty line between chunks.", chunked(b"1\r\na\r\n\r\n" + _END)),
    refused("chunk-none", "The body begins with an empty line.", chunked(b"\r\n" + _END)),
    refused("chunk-last-bare-lf", "The last chunk ends in a bare LF.", chunked(b"0\n\r\n")),
    refused("chunk-end-bare-lf", "The body ends in a bare LF.", chunked(b"0\r\n\n")),
    refused("chunk-end-cr", "The body ends in CR and something else.", chunked(b"0\r\n\rX")),
    refused(
        "chunk-extension-bare-semicolon-lf", "A semicolon, then a bare LF.", chunked(b"1;\na\r\n" + _END)
    ),
    refused(
        "chunk-framing-flood",
        "Extensions of a megabyte around a few bytes.",
        chunked((b"1;" + b"a" * 1000 + b"\r\na\r\n") * 1000 + _END),
    ),
    refused(
        "chunk-beyond-limit",
        "A chunk larger than any body may be; refused where it is too much.",
        chunked(b"ffffffffffffff\r\n" + b"a" * 10),
        413,
    ),
    accepted("chunks", "Two chunks.", chunked(b"1\r\na\r\n2\r\nbc\r\n" + _END), put_x(b"abc")),
    accepted("chunk-zeros", "Zeros before a size.", chunked(b"0001\r\na\r\n" + _END), put_x(b"a")),
    accepted(
        "chunk-case",
        "Digits in both cases.",
        chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n" + _END),
        put_x(b"0123456789" * 2),
    ),
    accepted("chunk-last-zeros", "The last chunk with more zeros.", chunked(b"000\r\n\r\n"), put_x()),
    accepted("chunk-extension", "An extension.", chunked(b"1;a=b\r\na\r\n" + _END), put_x(b"a")),
    accepted("chunk-extension-last", "An extension of the last chunk.", chunked(b"0;a=b\r\n\r\n"), put_x()),
    accepted(
        "chunk-extension-quoted", "A quoted extension.", chunked(b'1;a="b; c"\r\na\r\n' + _END), put_x(b"a")
    ),
    accepted(
        "chunk-crlf-data", "A chunk of line ends.", chunked(b"4\r\n\r\n\r\n\r\n" + _END), put_x(b"\r\n\r\n")
    ),
    accepted(
        "chunk-looks-like-end",
        "A chunk that looks like the end.",
        chunked(b"5\r\n0\r\n\r\n\r\n" + _END),
        put_x(b"0\r\n\r\n"),
    ),
]

TRAILERS: list[Case] = [
    refused("trailer-length", "A length in the trailer.", chunked(b"0\r\nContent-Length: 5\r\n\r\n")),
    refused(
        "trailer-coding", "A coding in the trailer.", chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n")
    ),
    refused("trailer-bare-lf", "A trailer ends in a bare LF.", chunked(b"0\r\nX: y\n\r\n")),
    refused("trailer-bare-cr", "A bare CR in a trailer.", chunked(b"0\r\nX: a\rb\r\n\r\n")),
    refused("trailer-fold", "A trailer is folded.", chunked(b"0\r\nX: a\r\n b\r\n\r\n")),
    refused("trailer-fold-first", "The first trailer begins with a space.", chunked(b"0\r\n X: a\r\n\r\n")),
    refused("trailer-no-colon", "A trailer without a colon.", chunked(b"0\r\nnonsense\r\n\r\n")),
    refused("trailer-space-colon", "A space before a trailer's colon.", chunked(b"0\r\nX : y\r\n\r\n")),
    refused("trailer-no-name", "A trailer without a name.", chunked(b"0\r\n: y\r\n\r\n")),
    refused("trailer-nul", "NUL in a trailer.", chunked(b"0\r\nX: a\x00\r\n\r\n")),
    refused("trailer-control", "A control byte in a trailer.", chunked(b"0\r\nX: a\x01\r\n\r\n")),
    refused("trailer-request", "A request in place of the trailer.", chunked(b"0\r\n" + SMUGGLED)),
    refused("trailer-9k", "A trailer of 9 KB.", chunked(b"0\r\nX: " + b"a" * 9000 + b"\r\n\r\n"), 431),
    refused(
        "trailers-101", "A hundred and one trailers.", chunked(b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n"), 431
    ),
    refused(
        "trailers-16k",
        "Trailers of 16 KB in all.",
        chunked(b"0\r\n" + (b"X: " + b"a" * 1019 + b"\r\n") * 16 + b"\r\n"),
        431,
    ),
    accepted("trailers-99", "Ninety-nine trailers.", chunked(b"0\r\n" + b"X: y\r\n" * 99 + b"\r\n"), put_x()),
    accepted(
        "trailers-14k",
        "Trailers of 14 KB in all.",
        chunked(b"0\r\n" + (b"X: " + b"a" * 995 + b"\r\n") * 14 + b"\r\n"),
        put_x(),
    ),
    accepted("trailer", "A trailer is read and dropped.", chunked(b"0\r\nX: y\r\n\r\n"), put_x()),
    accepted(
        "trailer-announced",
        "A trailer that was announced.",
        chunked(b"0\r\nX: y\r\n\r\n", b"Trailer: X"),
        put_x(),
    ),
    accepted(
        "trailer-host", "Host in a trailer counts for nothing.", chunked(b"0\r\nHost: other\r\n\r\n"), put_x()
    ),
    accepted(
        "trailer-authorization",
        "A key in a trailer counts for nothing.",
        chunked(b"0\r\nAuthorization: Bearer a\r\n\r\n"),
        put_x(),
    ),
    accepted(
        "trailer-then-next",
        "A trailer, and another request.",
        chunked(b"0\r\nX: y\r\n\r\n") + get(),
        put_x(),
        GET_X,
    ),
]

BODIES = [*LENGTHS, *CODINGS, *CHUNKS, *TRAILERS]
