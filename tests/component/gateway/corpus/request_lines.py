"""The request line: its three parts, what separates them, and what the target may hold."""

from __future__ import annotations

from tests.component.gateway.corpus.case import (
    GET_X,
    PREFIX,
    SMUGGLED,
    Case,
    Seen,
    X,
    accepted,
    get,
    hosts,
    lines,
    refused,
)

_CONTROLS = (0x00, 0x01, 0x08, 0x0B, 0x0C, 0x1B, 0x1F, 0x7F)


def _line(line: bytes) -> bytes:
    return lines(line, b"Host: g")


LINES: list[Case] = [
    refused("http-0.9", "HTTP/0.9 has no version and no fields.", b"GET " + X + b"\r\n\r\n", 505),
    refused("no-version", "A line without a version, and a field after it.", _line(b"GET " + X), 505),
    refused(
        "target-lf-field",
        "A line of HTTP/0.9 ends within the target, and what follows looks like a field.",
        lines(b"GET " + X + b"\nHost:" + X + b"? HTTP/1.1", b"Host: g"),
    ),
    refused("version-empty", "A space stands where the version should follow.", _line(b"GET " + X + b" ")),
    refused(
        "http-1.2", "No such version exists; what it would mean is a guess.", get(version=b"HTTP/1.2"), 505
    ),
    refused("http-1.9", "No such version exists.", get(version=b"HTTP/1.9"), 505),
    refused("http-1.10", "A minor version is one digit.", get(version=b"HTTP/1.10")),
    refused("http-1", "A minor version is missing.", get(version=b"HTTP/1")),
    refused("http-1.", "A minor version is missing after its dot.", get(version=b"HTTP/1.")),
    refused("http-01.1", "A major version is one digit.", get(version=b"HTTP/01.1")),
    refused("http-11", "A dot is missing.", get(version=b"HTTP/11")),
    refused("http-1.1-letter", "A letter follows the version.", get(version=b"HTTP/1.1a")),
    refused("http-2.0", "HTTP/2 is not written in lines.", get(version=b"HTTP/2.0"), 505),
    refused("http-0.9-said", "HTTP/0.9 said aloud has no fields either.", get(version=b"HTTP/0.9"), 505),
    refused("http-3.0", "HTTP/3 is not written in lines.", get(version=b"HTTP/3.0"), 505),
    refused("http-lower-case", "The protocol's name is in capitals.", get(version=b"http/1.1")),
    refused("http-mixed-case", "The protocol's name is in capitals.", get(version=b"HtTP/1.1")),
    refused("protocol-unknown", "Another protocol of the same look.", get(version=b"ICAP/1.0")),
    refused("protocol-rtsp", "RTSP looks like HTTP.", get(version=b"RTSP/1.0"), 505),
    refused("protocol-shouted", "A misspelt protocol.", get(version=b"HTTPS/1.1")),
    refused("h2-preface", "HTTP/2 with prior knowledge.", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused(
        "method-lower",
        "Methods are case-sensitive and known ones in capitals.",
        _line(b"get " + X + b" HTTP/1.1"),
        501,
    ),
    refused("method-mixed", "Methods are case-sensitive.", _line(b"Get " + X + b" HTTP/1.1"), 501),
    refused("method-unknown", "Nobody here knows this method.", _line(b"FOO " + X + b" HTTP/1.1"), 501),
    refused("method-long", "A method of 300 letters.", _line(b"A" * 300 + b" " + X + b" HTTP/1.1"), 501),
    refused("method-prefix", "A known method and one letter more.", _line(b"GETS " + X + b" HTTP/1.1")),
    refused("method-cut", "A known method and one letter less.", _line(b"PU " + X + b" HTTP/1.1"), 501),
    refused("method-digit", "A digit in the method.", _line(b"GET1 " + X + b" HTTP/1.1")),
    refused("method-colon", "A separator in the method.", _line(b"GE:T " + X + b" HTTP/1.1"), 501),
    refused("method-brackets", "Separators in the method.", _line(b"G<>T " + X + b" HTTP/1.1"), 501),
    refused("method-nul", "NUL in the method.", _line(b"GE\x00T " + X + b" HTTP/1.1"), 501),
    refused("method-eight-bits", "A byte over 127 in the method.", _line(b"G\xcbT " + X + b" HTTP/1.1"), 501),
    refused("method-quoted", "A quoted method.", _line(b'"GET" ' + X + b" HTTP/1.1"), 501),
    refused("method-missing", "The line begins with its target.", _line(X + b" HTTP/1.1"), 501),
    refused("method-empty", "The line begins with a space.", _line(b" " + X + b" HTTP/1.1"), 501),
    refused("line-after-space", "A space before the method.", _line(b" GET " + X + b" HTTP/1.1"), 501),
    refused("line-after-tab", "A tab before the method.", _line(b"\tGET " + X + b" HTTP/1.1"), 501),
    refused("connect", "CONNECT asks for a tunnel.", lines(b"CONNECT g:443 HTTP/1.1", b"Host: g:443"), 501),
    refused("connect-path", "CONNECT with a path.", _line(b"CONNECT " + X + b" HTTP/1.1"), 501),
    refused("trace", "TRACE sends back what it got, keys too.", _line(b"TRACE " + X + b" HTTP/1.1"), 501),
    refused("two-spaces-first", "Two spaces after the method.", _line(b"GET  " + X + b" HTTP/1.1")),
    refused("two-spaces-second", "Two spaces before the version.", _line(b"GET " + X + b"  HTTP/1.1")),
    refused("tab-first", "A tab after the method.", _line(b"GET\t" + X + b" HTTP/1.1")),
    refused("tab-second", "A tab before the version.", _line(b"GET " + X + b"\tHTTP/1.1")),
    refused("space-after-version", "A space after the version.", _line(b"GET " + X + b" HTTP/1.1 ")),
    refused("tab-after-version", "A tab after the version.", _line(b"GET " + X + b" HTTP/1.1\t")),
    refused("four-words", "A space within the target.", _line(b"GET " + X + b" y HTTP/1.1")),
    refused("two-versions", "A version as a part of the target.", _line(b"GET " + X + b" HTTP/1.1 HTTP/1.1")),
    refused(
        "bare-lf-line", "The request line ends in a bare LF.", b"GET " + X + b" HTTP/1.1\nHost: g\r\n\r\n"
    ),
    refused(
        "bare-cr-line", "The request line ends in a bare CR.", b"GET " + X + b" HTTP/1.1\rHost: g\r\n\r\n"
    ),
    refused(
        "cr-cr-lf-line", "The request line ends in CR CR LF.", b"GET " + X + b" HTTP/1.1\r\r\nHost: g\r\n\r\n"
    ),
    refused("cr-in-target", "A bare CR within the target.", get(target=X + b"\ry")),
    refused("lf-in-target", "A bare LF within the target.", get(target=X + b"\ny")),
    refused(
        "line-twice", "A request line stands as the first field.", b"GET " + X + b" HTTP/1.1\r\n" + SMUGGLED
    ),
    accepted("empty-line-before", "An empty line before a request is ignored.", b"\r\n" + get()),
    refused("lf-before", "A bare LF before a request is no empty line.", b"\n" + get()),
    refused("cr-before", "A bare CR before a request is no empty line.", b"\r" + get()),
    refused("space-before", "A line of one space before a request.", b" \r\n" + get(), 501),
    refused(
        "empty-lines-before",
        "Many empty lines keep a connection alive and say nothing.",
        b"\r\n" * 20 + get(),
    ),
    refused("nul-before", "NUL before a request.", b"\x00" + get(), 501),
    refused("bom-before", "A byte order mark before a request.", b"\xef\xbb\xbf" + get(), 501),
    refused(
        "tls",
        "A TLS handshake on a plain port.",
        bytes.fromhex("16030100c2010000be0303") + b"a" * 190 + b"\r\n\r\n",
        501,
    ),
    refused("json-alone", "A body without its head.", b'{"model": "m"}\r\n\r\n', 501),
]

TARGETS: list[Case] = [
    *(
        refused(
            f"control-{code:02x}-in-target",
            f"Control byte {code:#x} in the target.",
            get(target=X + bytes((code,))),
        )
        for code in _CONTROLS
    ),
    *(
        refused(
            f"control-{code:02x}-in-query",
            f"Control byte {code:#x} in the query.",
            get(target=X + b"?a=" + bytes((code,))),
        )
        for code in (0x00, 0x01, 0x7F)
    ),
    refused("eight-bits-in-target", "A byte over 127 must be written as %FF.", get(target=X + b"\xff")),
    refused("utf-8-in-target", "UTF-8 must be percent-encoded.", get(target=X + "é".encode())),
    refused("eight-bits-in-query", "A byte over 127 in the query.", get(target=X + b"?q=\xff")),
    refused("fragment", "A fragment is never sent.", get(target=X + b"#part")),
    refused("fragment-in-query", "A fragment after a query is never sent.", get(target=X + b"?a=b#part")),
    refused("percent-00", "An encoded NUL ends the path in many a program.", get(target=X + b"%00")),
    refused("percent-00-middle", "An encoded NUL in the middle.", get(target=X + b"%00/y")),
    refused("percent-cut", "One digit after a percent sign.", get(target=X + b"%4")),
    refused("percent-alone", "No digits after a percent sign.", get(target=X + b"%")),
    refused("percent-letters", "No digits of a hexadecimal number.", get(target=X + b"%zz")),
    refused("percent-slash", "A slash in place of the second digit.", get(target=X + b"%2/")),
    refused("percent-u", "The encoding that no standard has.", get(target=X + b"%u0041")),
    refused("above-root", "The path leaves its root.", get(target=b"/../../../../etc/passwd")),
    refused("above-root-encoded", "The path leaves its root, in disguise.", get(target=b"/%2e%2e/%2e%2e/x")),
    refused("above-root-mixed", "The path leaves its root, half in disguise.", get(target=b"/.%2e/x")),
    refused("above-root-at-end", "The path ends above its root.", get(target=b"/..")),
    refused("above-root-query", "The path leaves its root before a query.", get(target=b"/..?x")),
    refused("above-root-through-dot", "A dot segment does not count as a step down.", get(target=b"/./../x")),
    refused("above-root-slashes", "Doubled slashes do not count as a step down.", get(target=b"//../x")),
    refused("above-root-encoded-slash", "An encoded slash parts the path too.", get(target=b"/..%2fx")),
    refused("no-slash", "A target must begin with a slash.", get(target=b"x")),
    refused("dot", "A relative target.", get(target=b"./x")),
    refused("query-alone", "A query without a path.", get(target=b"?a=b")),
    refused("asterisk-get", "The asterisk is for OPTIONS.", get(target=b"*")),
    refused(
        "asterisk-options", "OPTIONS for the whole server: no service is meant.", _line(b"OPTIONS * HTTP/1.1")
    ),
    refused("asterisk-path", "An asterisk and more.", get(target=b"*/x")),
    refused("authority-get", "A bare authority is for CONNECT.", get(target=b"g:80")),
    refused("absolute-no-host", "An absolute target without a host.", get(target=b"http://" + X)),
    refused("absolute-userinfo", "Credentials in the target.", get(target=b"http://u:p@g" + X)),
    refused("absolute-other", "The target's host and the field's differ.", get(target=b"http://other" + X)),
    refused(
        "absolute-other-port", "The target's port and the field's differ.", get(target=b"http://g:81" + X)
    ),
    refused("absolute-ftp", "A scheme that is not spoken here.", get(target=b"ftp://g" + X)),
    refused("absolute-ws", "A websocket's scheme.", get(target=b"ws://g" + X)),
    refused("absolute-one-slash", "One slash after the scheme.", get(target=b"http:/g" + X)),
    refused("absolute-no-slashes", "No slash after the scheme.", get(target=b"http:" + X)),
    refused("absolute-backslashes", "Backslashes after the scheme.", get(target=b"http:\\\\g" + X)),
    refused("absolute-space", "An encoded space in the host.", get(target=b"http://g%20" + X)),
    refused("absolute-bad-port", "Letters as a port.", get(target=b"http://g:http" + X)),
    refused("absolute-fragment", "A fragment after an absolute target.", get(target=b"http://g" + X + b"#f")),
    refused("absolute-no-field", "An absolute target does not replace Host.", hosts(target=b"http://g" + X)),
    refused("target-9k", "A target of 9 KB.", get(target=X + b"a" * 9000), 414),
    refused(
        "line-8k",
        "A request line of 8 KB and a byte.",
        get(target=X + b"a" * (8193 - 13 - len(X))),
        414,
    ),
    refused("query-9k", "A query of 9 KB.", get(target=X + b"?" + b"a" * 9000), 414),
    accepted(
        "target-8k",
        "A target of almost 8 KB.",
        get(target=X + b"a" * 8000),
        Seen(b"GET", b"/v1/x" + b"a" * 8000),
    ),
    accepted("absolute", "A proxy's form of a target; the same host.", get(target=b"http://g" + X)),
    accepted("absolute-capitals", "A scheme in capitals.", get(target=b"HTTP://g" + X)),
    accepted("absolute-https", "The other scheme: whoever ended TLS said so.", get(target=b"https://g" + X)),
    accepted(
        "percent",
        "An encoded letter stays as it was written.",
        get(target=X + b"%41%c3%a9"),
        Seen(b"GET", b"/v1/x%41%c3%a9"),
    ),
    accepted(
        "percent-overlong",
        "An overlong slash is no slash, and stays as it was written.",
        get(target=X + b"/%c0%af"),
        Seen(b"GET", b"/v1/x/%c0%af"),
    ),
    accepted(
        "percent-slash-encoded",
        "An encoded slash stays encoded.",
        get(target=X + b"%2Fy"),
        Seen(b"GET", b"/v1/x%2Fy"),
    ),
    accepted(
        "percent-25",
        "An encoded percent sign is not decoded twice.",
        get(target=X + b"%2500"),
        Seen(b"GET", b"/v1/x%2500"),
    ),
    accepted(
        "query-percent",
        "A query is not decoded on the way.",
        get(target=X + b"?a=%00%zz%"),
        Seen(b"GET", b"/v1/x?a=%00%zz%"),
    ),
    accepted(
        "query-characters",
        "A query of all that may stand there.",
        get(target=X + b"?a[]=/?:@!$&'()*+,;=~|^`{}\"<>\\"),
        Seen(b"GET", b"/v1/x?a[]=/?:@!$&'()*+,;=~|^`{}\"<>\\"),
    ),
    accepted("empty-query", "A question mark alone.", get(target=X + b"?"), Seen(b"GET", b"/v1/x?")),
    accepted(
        "dots-inside",
        "The path goes up and stays inside its root.",
        get(target=X + b"/../y"),
        Seen(b"GET", b"/v1/x/../y"),
    ),
    accepted("dots-in-name", "Three dots are a name.", get(target=X + b"/..."), Seen(b"GET", b"/v1/x/...")),
    accepted(
        "dots-in-query",
        "Dots in a query are no path.",
        get(target=X + b"?/../../../.."),
        Seen(b"GET", b"/v1/x?/../../../.."),
    ),
    accepted("double-slash", "Two slashes stay two.", get(target=X + b"//y"), Seen(b"GET", b"/v1/x//y")),
    accepted(
        "semicolon", "Parameters of a path segment.", get(target=X + b";a=b"), Seen(b"GET", b"/v1/x;a=b")
    ),
    accepted("http-1.0", "HTTP/1.0, once.", get(version=b"HTTP/1.0"), ends=True),
    *(
        accepted(
            f"method-{method.decode().lower()}",
            "A method of everyday.",
            _line(method + b" " + X + b" HTTP/1.1"),
            Seen(method, b"/v1/x"),
        )
        for method in (b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"PROPFIND", b"M-SEARCH")
    ),
    accepted("pipelined", "Three requests in one write.", get() * 3, GET_X, GET_X, GET_X),
    accepted(
        "pipelined-empty-lines", "An empty line between two requests.", get() + b"\r\n" + get(), GET_X, GET_X
    ),
    refused("pipelined-garbage", "Garbage after a good request.", get() + b"garbage\r\n\r\n", 501, (GET_X,)),
    refused(
        "pipelined-bare-lf",
        "A bad request after a good one.",
        get() + b"GET " + X + b" HTTP/1.1\nHost: g\n\n",
        400,
        (GET_X,),
    ),
    refused("pipelined-nul", "NUL after a good request.", get() + b"\x00" * 4 + b"\r\n\r\n", 501, (GET_X,)),
    refused(
        "pipelined-0.9", "HTTP/0.9 after a good request.", get() + b"GET " + X + b"\r\n\r\n", 505, (GET_X,)
    ),
    refused("pipelined-no-host", "A second request without Host.", get() + hosts(), 400, (GET_X,)),
    accepted(
        "pipelined-after-close",
        "What follows a connection's last request is nobody's.",
        get(b"Connection: close") + SMUGGLED,
        ends=True,
    ),
    accepted(
        "pipelined-after-1.0",
        "What follows a request of HTTP/1.0 is nobody's.",
        get(version=b"HTTP/1.0") + SMUGGLED,
        ends=True,
    ),
    accepted(
        "path-of-prefix",
        "Another path of the same service.",
        get(target=PREFIX + b"/v1/a/b"),
        Seen(b"GET", b"/v1/a/b"),
    ),
]
