"""Why tidegate decides otherwise than nginx or HAProxy, for each case where it does.

Names may have ``*``. A case that differs and has no reason here, or has one and does not differ, fails.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

REASONS: dict[str, tuple[str, ...]] = {
    "Only HTTP/1.1 and HTTP/1.0 are served, in capitals and with one digit each; nobody has to guess what "
    "another version would mean, and HTTP/0.9 has no status in which a refusal could be told.": (
        *("http-0.9", "http-0.9-said", "http-1.2", "http-1.9", "http-1.10", "http-2.0", "http-3.0"),
        *("no-version", "version-empty", "pipelined-0.9"),
    ),
    "A method that llhttp does not know is refused: no endpoint of vLLM has one, and a method that two "
    "programs split differently is a way past rules for methods.": (
        *("method-lower", "method-mixed", "method-unknown", "method-long", "method-prefix", "method-cut"),
        "method-digit",
    ),
    "CONNECT would open a tunnel and TRACE would send a request's keys back; nginx refuses both.": (
        "connect",
        "trace",
    ),
    "The words of a request line have one space between them (RFC 9112, 3: a lenient reader may split at any "
    "white space, and then reads another target than the strict one behind it).": (
        *("two-spaces-first", "two-spaces-second", "tab-first", "tab-second", "space-after-version"),
    ),
    "A line ends with CR LF. A reader that takes a bare LF or CR for a line end sees other fields, chunks "
    "and requests than one that does not; this is what most request smuggling lives on.": (
        *(
            "bare-lf-*",
            "lf-in-target",
            "target-lf-field",
            "lf-before",
            "cr-before",
            "cr-cr-lf",
            "pipelined-bare-lf",
        ),
        *("chunk-bare-lf", "chunk-data-bare-lf", "chunk-last-bare-lf", "chunk-end-bare-lf"),
        *("chunk-extension-bare-semicolon-lf", "trailer-bare-lf"),
    ),
    "One empty line before a request is skipped, as RFC 9112, 2.2 asks; any number of them would keep a "
    "connection open and say nothing.": ("empty-lines-before",),
    "A target is visible ASCII without a fragment (RFC 3986); bytes over 127 are read in as many ways as "
    "there are encodings.": (
        *("eight-bits-in-target", "utf-8-in-target", "eight-bits-in-query", "fragment", "fragment-in-query"),
        "absolute-fragment",
    ),
    "What nginx refuses in a path is refused: an encoded NUL, a percent sign that encodes nothing, and dots "
    "that leave the root. A worker that decodes the path would find another one than was routed.": (
        *("percent-00", "percent-00-middle", "percent-cut", "percent-alone", "percent-letters"),
        *("percent-slash", "percent-u", "above-root", "above-root-*"),
    ),
    "A target is a path or a whole http URL with a host; a reverse proxy has no use for the other forms.": (
        *("asterisk-get", "asterisk-options", "asterisk-path", "absolute-no-host", "absolute-userinfo"),
        *("absolute-ftp", "absolute-ws"),
    ),
    "Two hosts in one request are one too many: HAProxy refuses them as well, nginx takes the target's.": (
        "absolute-other",
        "absolute-other-port",
    ),
    "nginx's limits for lines and HAProxy's for the whole header hold both: 8 KiB a line, 14 KiB in all, 100 "
    "fields.": (
        *(
            "target-9k",
            "line-8k",
            "query-9k",
            "field-9k",
            "field-8k",
            "fields-15k",
            "fields-16k",
            "fields-101",
        ),
    ),
    "Accepted by all three. HAProxy passes the whole URL on; tidegate and nginx send its path and rewrite "
    "Host.": ("absolute", "absolute-capitals", "absolute-https"),
    "HTTP/1.1 needs exactly one Host, and not an empty one (RFC 9112, 3.2); nginx says the same. The service "
    "is found by it, so that a doubled Host could be routed by one value and served by the other.": (
        *(
            "host-missing",
            "host-missing-fields",
            "host-empty",
            "host-spaces",
            "host-twice",
            "host-twice-apart",
        ),
        *("pipelined-no-host", "absolute-no-field", "host-1.0-empty"),
    ),
    "Host is a name or an address and a port, of visible ASCII and nothing else (RFC 3986, 3.2.2). Whatever "
    "else stands there is no name of a service, and each program cuts it down in its own way.": (
        *("host-list", "host-two-words", "host-userinfo", "host-user", "host-path", "host-url", "host-query"),
        *("host-fragment", "host-backslash", "host-percent", "host-quotes", "host-port-*", "host-two-ports"),
        *("host-dots", "host-dot", "host-eight-bits", "host-idn", "host-nul", "host-tab", "host-tab-after"),
        *("host-bracket-*", "host-ipv6-bare", "host-ipv6-zone", "host-ipv6-garbage", "host-ipv6-after"),
        "host-1.0-bad",
    ),
    "A folded value is refused, as RFC 9112, 5.2 asks of a server that does not unfold it; nginx refuses it "
    "too.": ("obs-fold-*", "trailer-fold", "trailer-fold-first"),
    "A name is a token and has a colon right behind it (RFC 9110, 5.1). nginx drops such a line and serves "
    "the rest; a request that was not understood whole is better refused, as HAProxy does.": (
        *("no-colon", "separator-*-in-name", "eight-bits-in-name", "utf-8-in-name", "nbsp-in-name"),
        *("trailer-no-colon", "trailer-space-colon", "trailer-no-name", "trailer-request"),
    ),
    "No control byte may stand in a value (RFC 9110, 5.5): programs end a value there, or drop the byte.": (
        *("control-*-in-value", "trailer-nul", "trailer-control"),
        *("chunk-extension-nul", "chunk-extension-control", "chunk-extension-del"),
    ),
    "A field that means one thing stands once. Of two keys, types or conditions the gateway could heed one "
    "and the worker the other; nginx refuses most of these, Content-Type is tidegate's own.": (
        *("authorization-twice", "authorization-twice-same", "content-type-twice", "expect-twice"),
        *("if-*-twice", "content-range-twice"),
    ),
    "An expectation that nobody can meet is answered with 417 (RFC 9110, 10.1.1), not passed over.": (
        *("expect-unknown", "expect-empty", "expect-list", "expect-value"),
    ),
    "Content-Length is one number with spaces around it at most; nginx refuses lists, repetitions and tabs "
    "too. Where two readers could disagree on a length, the rest of the connection is anybody's.": (
        *("length-list", "length-twice", "length-tab", "length-tab-after"),
    ),
    "A request with a coding and a length is how smuggling begins; HAProxy goes by the coding and closes, "
    "nginx refuses, and so does tidegate.": (
        *("te-and-cl", "cl-and-te", "te-and-cl-smuggles", "te-and-cl-zero", "te-1.0-and-cl"),
    ),
    "Transfer-Encoding is chunked, once and alone, in HTTP/1.1; nginx says the same.": (
        *("te-double-empty", "te-comma-after", "te-tab", "te-tab-after", "te-1.0", "te-1.0-keep-alive"),
    ),
    "A chunk's size is one to fifteen digits with a semicolon or the line end right behind them; white space "
    "there and lines of any length are lenience without a use.": (
        *("chunk-space-after", "chunk-tab-after", "chunk-two-words", "chunk-100-zeros", "chunk-extension-2k"),
    ),
    "Chunks that are almost all framing cost the reader a multiple of what they carry: a mebibyte here for a "
    "kilobyte of body.": ("chunk-framing-flood",),
    "A length or a coding in a trailer comes too late to mean anything, and a program that merges trailers "
    "into the header would believe it (RFC 9110, 6.5.1).": ("trailer-length", "trailer-coding"),
    "Trailers have the limits of a header.": ("trailer-9k", "trailers-101", "trailers-16k"),
}


def reason_for(name: str) -> str | None:
    """Why the case ``name`` may differ; None where nobody has said so."""
    for reason, patterns in REASONS.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return reason
    return None


def unused(names: set[str]) -> list[str]:
    """The patterns that fit none of the cases ``names`` that differ."""
    patterns = [pattern for group in REASONS.values() for pattern in group]
    return [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
