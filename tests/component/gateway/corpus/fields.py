"""Header fields: line ends, names, values, sizes, Host, and the fields that may stand once only."""

from __future__ import annotations

from tests.component.gateway.corpus.case import (
    GET_X,
    SMUGGLED,
    Case,
    Seen,
    X,
    accepted,
    get,
    hosts,
    put,
    put_x,
    refused,
)

_START = b"GET " + X + b" HTTP/1.1\r\nHost: g\r\n"
_CONTROLS = (0x00, 0x01, 0x07, 0x08, 0x0B, 0x0C, 0x0E, 0x1B, 0x1F, 0x7F)
_SEPARATORS = b'()<>@,;\\"/[]?={}'

LINE_ENDS: list[Case] = [
    refused("bare-lf-field", "A field ends in a bare LF.", _START + b"X: y\n\r\n"),
    refused("bare-lf-host", "Host ends in a bare LF.", b"GET " + X + b" HTTP/1.1\r\nHost: g\nX: y\r\n\r\n"),
    refused("bare-lf-end", "The head ends in a bare LF.", _START + b"\n"),
    refused("bare-lf-both", "A field and the head end in bare LFs.", _START + b"X: y\n\n"),
    refused("bare-lf-all", "All lines end in bare LFs.", b"GET " + X + b" HTTP/1.1\nHost: g\n\n"),
    refused(
        "bare-lf-smuggles", "A second field behind a bare LF.", _START + b"X: y\nContent-Length: 50\r\n\r\n"
    ),
    refused("bare-cr-field", "A field ends in a bare CR.", _START + b"X: y\rZ: z\r\n\r\n"),
    refused("bare-cr-value", "A bare CR within a value.", _START + b"X: a\rb\r\n\r\n"),
    refused("bare-cr-name", "A bare CR within a name.", _START + b"X\rY: b\r\n\r\n"),
    refused("bare-cr-length", "A length behind a bare CR.", _START + b"X: y\rContent-Length: 50\r\n\r\n"),
    refused("cr-cr-lf", "A field ends in CR CR LF.", _START + b"X: y\r\r\n\r\n"),
    refused("cr-at-value-start", "A value begins with a bare CR.", _START + b"X:\ry\r\n\r\n"),
    refused("cr-end", "The head ends in CR and something else.", _START + b"\rX"),
    refused("lf-cr", "Line ends the wrong way round.", b"GET " + X + b" HTTP/1.1\n\rHost: g\n\r\n\r"),
    refused("obs-fold-space", "A value is folded with a space.", get(b"X: a", b" b")),
    refused("obs-fold-tab", "A value is folded with a tab.", get(b"X: a", b"\tb")),
    refused("obs-fold-empty", "A fold holds nothing but a space.", get(b"X: a", b" ")),
    refused("obs-fold-host", "Host is folded.", hosts(b"Host: g", b" .other")),
    refused("obs-fold-host-start", "Host has its value in a fold.", hosts(b"Host:", b" g")),
    refused(
        "obs-fold-length", "A length has its value in a fold.", put(b"Content-Length:", b" 1", body=b"a")
    ),
    refused(
        "obs-fold-coding",
        "A coding has its value in a fold.",
        put(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
    ),
    refused(
        "obs-fold-coding-second",
        "A coding goes on in a fold.",
        put(b"Transfer-Encoding: gzip,", b"\tchunked", body=b"0\r\n\r\n"),
    ),
    refused("fold-first", "The first field begins with a space.", hosts(b" Host: g")),
    refused("fold-first-tab", "The first field begins with a tab.", hosts(b"\tHost: g")),
    refused("fold-first-extra", "A line of white space before the fields.", hosts(b" ", b"Host: g")),
]

NAMES: list[Case] = [
    refused("space-before-colon", "A space between name and colon.", get(b"X : y")),
    refused("tab-before-colon", "A tab between name and colon.", get(b"X\t: y")),
    refused("space-before-colon-host", "A space between Host and its colon.", hosts(b"Host : g")),
    refused(
        "space-before-colon-length",
        "A space between Content-Length and its colon.",
        put(b"Content-Length : 1", body=b"a"),
    ),
    refused(
        "space-before-colon-coding",
        "A space between Transfer-Encoding and its colon.",
        put(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    ),
    refused(
        "tab-before-colon-coding",
        "A tab between Transfer-Encoding and its colon.",
        put(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"),
    ),
    refused(
        "vt-before-colon-coding",
        "A vertical tab before the colon.",
        put(b"Transfer-Encoding\x0b: chunked", body=b"0\r\n\r\n"),
    ),
    refused("name-empty", "A field without a name.", get(b": y")),
    refused("name-empty-all", "A line of a colon alone.", get(b":")),
    refused("no-colon", "A line without a colon.", get(b"nonsense")),
    refused("no-colon-words", "Several words without a colon.", get(b"Content-Length 5")),
    refused("name-space", "A space within a name.", get(b"X Y: z")),
    *(
        refused(
            f"control-{code:02x}-in-name",
            f"Control byte {code:#x} in a name.",
            get(b"X" + bytes((code,)) + b": y"),
        )
        for code in _CONTROLS
    ),
    *(
        refused(
            f"separator-{code:02x}-in-name",
            f"{chr(code)!r} parts words and is no part of a name.",
            get(b"X" + bytes((code,)) + b"Y: z"),
        )
        for code in _SEPARATORS
    ),
    refused("eight-bits-in-name", "A byte over 127 in a name.", get(b"X\xe9: y")),
    refused("utf-8-in-name", "UTF-8 in a name.", get("Ключ: y".encode())),
    refused("nbsp-in-name", "A no-break space before the colon.", get(b"X\xa0: y")),
    accepted("name-characters", "All that a name may hold.", get(b"!#$%&'*+-.^_`|~09azAZ: y")),
    accepted("name-underscore", "An underscore in a name.", get(b"X_Y: z")),
    accepted("name-case", "Names in any case.", hosts(b"hOsT: g", b"ACCEPT: */*")),
]

VALUES: list[Case] = [
    *(
        refused(
            f"control-{code:02x}-in-value",
            f"Control byte {code:#x} in a value.",
            get(b"X: a" + bytes((code,)) + b"b"),
        )
        for code in _CONTROLS
    ),
    accepted("value-empty", "A field without a value.", get(b"X:")),
    accepted("value-no-space", "No space after the colon.", get(b"X:y")),
    accepted("value-spaces", "Spaces around a value.", get(b"X:   y   ")),
    accepted("value-tab", "A tab within a value.", get(b"X: a\tb")),
    accepted("value-eight-bits", "Bytes over 127 in a value: old, and allowed.", get(b"X: \xe9\xff")),
    accepted("value-colons", "Colons within a value.", get(b"X: a: b: c")),
    accepted("value-quotes", "A quote that never ends is nobody's business here.", get(b'X: "a')),
    accepted("field-twice", "An ordinary field twice.", get(b"Accept: a", b"Accept: b")),
    accepted("cookie-twice", "A cookie in two lines.", get(b"Cookie: a=b", b"Cookie: c=d")),
]

SIZES: list[Case] = [
    refused("field-9k", "A line of 9 KB.", get(b"X: " + b"a" * 9000), 431),
    refused("field-8k", "A line of 8 KB and a byte.", get(b"X: " + b"a" * 8190), 431),
    refused("name-9k", "A name of 9 KB.", get(b"X" * 9000 + b": y"), 431),
    refused("fields-16k", "Fields of 16 KB in all.", get(*(b"X: " + b"a" * 1019,) * 16), 431),
    refused("fields-15k", "Fields of 15 KB in all.", get(*(b"X: " + b"a" * 995,) * 15), 431),
    refused("fields-33k", "Fields of 33 KB in all.", get(*(b"X: " + b"a" * 1100,) * 30), 431),
    refused("fields-101", "A hundred and one fields.", get(*(b"X: y",) * 100), 431),
    refused("fields-5000", "Five thousand fields.", get(*(b"X:",) * 5000), 431),
    accepted("fields-100", "A hundred fields.", get(*(b"X: y",) * 99)),
    accepted("field-7k", "A line of 7 KB.", get(b"X: " + b"a" * 7000)),
    accepted("fields-14k", "Fields of 14 KB in all.", get(*(b"X: " + b"a" * 1000,) * 14)),
]

HOSTS: list[Case] = [
    refused("host-missing", "HTTP/1.1 needs Host.", hosts()),
    refused("host-missing-fields", "Other fields, and no Host.", hosts(b"X: y", b"Accept: */*")),
    refused("host-empty", "Host is empty.", hosts(b"Host:")),
    refused("host-spaces", "Host is all white space.", hosts(b"Host:   ")),
    refused("host-twice", "Host twice, the same.", hosts(b"Host: g", b"Host: g")),
    refused("host-twice-different", "Two Hosts.", hosts(b"Host: g", b"Host: other")),
    refused("host-twice-empty", "A Host and an empty one.", hosts(b"Host: g", b"Host:")),
    refused(
        "host-twice-apart",
        "Two Hosts in two spellings, a field between them.",
        hosts(b"Host: g", b"X: y", b"hOST: g"),
    ),
    refused("host-list", "A list in Host.", hosts(b"Host: g, other")),
    refused("host-two-words", "Two words in Host.", hosts(b"Host: g other")),
    refused("host-userinfo", "Credentials in Host.", hosts(b"Host: u:p@g")),
    refused("host-user", "A user in Host.", hosts(b"Host: u@g")),
    refused("host-path", "A path in Host.", hosts(b"Host: g/x")),
    refused("host-url", "A URL in Host.", hosts(b"Host: http://g")),
    refused("host-query", "A query in Host.", hosts(b"Host: g?x")),
    refused("host-fragment", "A fragment in Host.", hosts(b"Host: g#x")),
    refused("host-backslash", "A backslash in Host.", hosts(b"Host: g\\x")),
    refused("host-percent", "Percent-encoding in Host.", hosts(b"Host: g%00")),
    refused("host-quotes", "Quotes around Host.", hosts(b'Host: "g"')),
    refused("host-port-letters", "Letters as a port.", hosts(b"Host: g:http")),
    refused("host-port-empty", "A colon and no port.", hosts(b"Host: g:")),
    refused("host-port-long", "A port beyond 16 bits.", hosts(b"Host: g:99999")),
    refused("host-port-six", "A port of six digits.", hosts(b"Host: g:100000")),
    refused("host-port-sign", "A sign in the port.", hosts(b"Host: g:+80")),
    refused("host-port-negative", "A negative port.", hosts(b"Host: g:-1")),
    refused("host-two-ports", "Two ports.", hosts(b"Host: g:80:81")),
    refused("host-port-alone", "A port without a host.", hosts(b"Host: :80")),
    refused("host-port-space", "A space before the port.", hosts(b"Host: g: 80")),
    refused("host-dots", "Two dots in a row.", hosts(b"Host: g..other")),
    refused("host-dot", "A dot alone.", hosts(b"Host: .")),
    refused("host-eight-bits", "A byte over 127 in Host.", hosts(b"Host: g\xe9")),
    refused("host-idn", "A name in UTF-8 instead of punycode.", hosts("Host: gäste".encode())),
    refused("host-nul", "NUL in Host.", hosts(b"Host: g\x00")),
    refused("host-tab", "A tab before the host.", hosts(b"Host:\tg")),
    refused("host-tab-after", "A tab after the host.", hosts(b"Host: g\t")),
    refused("host-bracket-open", "A bracket that is not closed.", hosts(b"Host: [::1")),
    refused("host-bracket-close", "A bracket that was not opened.", hosts(b"Host: ::1]")),
    refused("host-bracket-empty", "Brackets with nothing inside.", hosts(b"Host: []")),
    refused("host-ipv6-bare", "An IPv6 address without brackets.", hosts(b"Host: ::1")),
    refused("host-ipv6-zone", "An IPv6 address with a zone.", hosts(b"Host: [fe80::1%25eth0]")),
    refused("host-ipv6-garbage", "No address between the brackets.", hosts(b"Host: [g]")),
    refused("host-ipv6-after", "Something after the brackets.", hosts(b"Host: [::1]g")),
    refused(
        "host-1.0-twice", "HTTP/1.0 with two Hosts.", hosts(b"Host: g", b"Host: other", version=b"HTTP/1.0")
    ),
    refused("host-1.0-bad", "HTTP/1.0 with a bad Host.", hosts(b"Host: g/x", version=b"HTTP/1.0")),
    refused("host-1.0-empty", "HTTP/1.0 with an empty Host.", hosts(b"Host:", version=b"HTTP/1.0")),
    accepted("host-1.0-missing", "HTTP/1.0 needs no Host.", hosts(version=b"HTTP/1.0"), ends=True),
    accepted("host-port", "Host with a port.", hosts(b"Host: g:8080")),
    accepted("host-ipv4", "An IPv4 address.", hosts(b"Host: 127.0.0.1:80")),
    accepted("host-ipv6", "An IPv6 address.", hosts(b"Host: [::1]")),
    accepted("host-ipv6-port", "An IPv6 address and a port.", hosts(b"Host: [2001:db8::1]:8080")),
    accepted("host-root-dot", "A name with its last dot.", hosts(b"Host: g.example.")),
    accepted("host-capitals", "A name in capitals.", hosts(b"Host: G.EXAMPLE")),
    accepted("host-underscore", "An underscore, as in Docker's names.", hosts(b"Host: g_1")),
    accepted("host-no-space", "No space before the host.", hosts(b"Host:g")),
    accepted("host-spaces-around", "Spaces around the host.", hosts(b"Host:  g  ")),
    accepted("host-last", "Host after other fields.", hosts(b"X: y", b"Host: g")),
]

ONCE: list[Case] = [
    refused(
        "authorization-twice",
        "Which key counts?",
        get(b"Authorization: Bearer a", b"Authorization: Bearer b"),
    ),
    refused(
        "authorization-twice-same",
        "The same key twice.",
        get(b"Authorization: Bearer a", b"authorization: Bearer a"),
    ),
    refused(
        "content-type-twice",
        "Which type counts?",
        put(
            b"Content-Type: application/json",
            b"Content-Type: multipart/form-data",
            b"Content-Length: 2",
            body=b"{}",
        ),
    ),
    refused(
        "expect-twice",
        "An expectation twice.",
        put(b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 1", body=b"a"),
    ),
    *(
        refused(
            f"{name.decode().lower()}-twice", f"{name.decode()} twice.", get(name + b": a", name + b": b")
        )
        for name in (
            b"If-Match",
            b"If-None-Match",
            b"If-Modified-Since",
            b"If-Unmodified-Since",
            b"If-Range",
            b"Content-Range",
        )
    ),
    refused(
        "expect-unknown",
        "An expectation that nobody knows.",
        put(b"Expect: wonders", b"Content-Length: 1", body=b"a"),
        417,
    ),
    refused("expect-empty", "An empty expectation.", put(b"Expect:", b"Content-Length: 1", body=b"a"), 417),
    refused(
        "expect-list",
        "A list of expectations.",
        put(b"Expect: 100-continue, wonders", b"Content-Length: 1", body=b"a"),
        417,
    ),
    refused(
        "expect-value",
        "An expectation with a value.",
        put(b"Expect: 100-continue=yes", b"Content-Length: 1", body=b"a"),
        417,
    ),
    accepted(
        "expect",
        "The one expectation; the body does not wait.",
        put(b"Expect: 100-continue", b"Content-Length: 1", body=b"a"),
        put_x(b"a"),
    ),
    accepted(
        "expect-case",
        "The same in capitals.",
        put(b"Expect: 100-CONTINUE", b"Content-Length: 1", body=b"a"),
        put_x(b"a"),
    ),
    accepted("expect-no-body", "An expectation without a body.", get(b"Expect: 100-continue")),
    accepted("authorization", "One key.", get(b"Authorization: Bearer a")),
]

CONNECTIONS: list[Case] = [
    accepted("connection-host", "Connection names Host: it is kept.", get(b"Connection: host")),
    accepted(
        "connection-length",
        "Connection names Content-Length: the body stays framed.",
        put(b"Connection: content-length", b"Content-Length: 1", body=b"a"),
        put_x(b"a"),
    ),
    accepted(
        "connection-coding",
        "Connection names Transfer-Encoding: the body stays framed.",
        put(b"Connection: transfer-encoding", b"Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n"),
        put_x(b"a"),
    ),
    accepted(
        "connection-authorization",
        "Connection names Authorization: the key stays.",
        get(b"Connection: authorization", b"Authorization: Bearer a"),
    ),
    accepted(
        "connection-unknown", "Connection names a field that is not there.", get(b"Connection: x-nothing")
    ),
    accepted("connection-empty", "An empty Connection.", get(b"Connection:")),
    accepted("connection-commas", "Commas alone.", get(b"Connection: ,, ,")),
    accepted(
        "connection-twice",
        "Connection in two lines.",
        get(b"Connection: keep-alive", b"Connection: x-mine", b"X-Mine: 1"),
    ),
    accepted("connection-close", "The last request of its connection.", get(b"Connection: close"), ends=True),
    accepted("connection-close-case", "The same in capitals.", get(b"Connection: CLOSE"), ends=True),
    accepted("connection-keep-alive", "What HTTP/1.1 does anyway.", get(b"Connection: keep-alive")),
    accepted("keep-alive", "A field of this hop.", get(b"Keep-Alive: timeout=5")),
    accepted("te-field", "What the client's hop would take.", get(b"TE: trailers", b"Connection: TE")),
    accepted(
        "h2c",
        "An offer of HTTP/2 is not taken up.",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
    ),
    accepted(
        "h2c-then-second",
        "A second request behind an offer that was not taken up.",
        get(b"Connection: Upgrade", b"Upgrade: h2c") + get(),
        GET_X,
        GET_X,
    ),
    accepted(
        "upgrade-unknown",
        "An offer of something unknown.",
        get(b"Connection: Upgrade", b"Upgrade: quake/1.0"),
    ),
    accepted(
        "upgrade-with-body",
        "An offer with a body, and a second request hidden in it.",
        put(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
        put_x(SMUGGLED),
    ),
    accepted(
        "trace-fields",
        "A trace's fields.",
        get(b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"tracestate: a=b"),
    ),
    accepted(
        "x-http-method",
        "An override of the method is the worker's business.",
        get(b"X-HTTP-Method-Override: DELETE"),
        Seen(b"GET", b"/v1/x"),
    ),
]

FIELDS = [*LINE_ENDS, *NAMES, *VALUES, *SIZES, *HOSTS, *ONCE, *CONNECTIONS]
