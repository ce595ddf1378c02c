"""The comparison as a table, and as docs/strictness.md."""

from __future__ import annotations

from tests.differential.compare import PROXIES, Row, by_difference
from tests.differential.reasons import REASONS, reason_for, unused

_PAGE = """# What is HTTP here, and what is not

<!-- Written by `make corpus`; the reasons stand in tests/differential/reasons.py. -->

The gateway reads HTTP/1.1 strictly: whatever nginx or HAProxy refuses, it refuses too. A corpus of {total}
requests ({malformed} malformed or ambiguous, the others odd and right) goes through tidegate, {versions},
each as a proxy with its own defaults in front of the same backend, which writes down each whole request
that it gets. A second, ordinary request follows each case on its connection: it arrives as itself only
where the proxy has found the end of the first one.

In {same} cases all three backends saw the same. In {differ} they did not; nowhere did tidegate let a
request through that another one refused{wider}. In the tables, *passed* counts the requests that reached
the backend, the following one included, so that an accepted request counts 2 where its connection stays
open.

Limits: 8 KiB for the request line and for each field, 14 KiB and 100 fields for a header, the same for
trailers. What a request may send to end its connection or its hop (`Connection`, `Keep-Alive`, `TE`,
`Trailer`, `Upgrade`, `Proxy-Connection`, `Expect`, and the fields that `Connection` names) is not passed
on; `Authorization`, `Content-Type`, `Cookie`, `traceparent`, `tracestate` and the `Forwarded` family are,
whatever `Connection` names. `Via` and `X-Forwarded-For` are passed on as they came and not written, as
nginx and HAProxy do by default.

## Where they differ, and why

"""


def problems(rows: list[Row]) -> list[str]:
    """Why the run has failed: lenience, a difference without a reason, or a reason without a difference."""
    differing = by_difference(rows)[True]
    wide = [
        f"{row.case.name}: passed here, refused by {', '.join(row.wider_than())}"
        for row in rows
        if row.wider_than()
    ]
    mute = [
        f"{row.case.name}: differs, and no reason is given"
        for row in differing
        if reason_for(row.case.name) is None
    ]
    idle = [f"{pattern}: a reason for nothing" for pattern in unused({row.case.name for row in differing})]
    return [*wide, *mute, *idle]


def page(rows: list[Row], versions: list[str]) -> str:
    """docs/strictness.md."""
    split = by_difference(rows)
    wide = [row.case.name for row in rows if row.wider_than()]
    text = _PAGE.format(
        total=len(rows),
        malformed=sum(row.case.status > 0 for row in rows),
        versions=" and ".join(versions),
        same=len(split[False]),
        differ=len(split[True]),
        wider=f", but for {', '.join(wide)}" if wide else "",
    )
    return text + "\n".join(_section(reason, split[True]) for reason in REASONS)


def _section(reason: str, rows: list[Row]) -> str:
    mine = [row for row in rows if reason_for(row.case.name) == reason]
    head = f"{reason}\n\n| case | what it is | {' | '.join(PROXIES)} |\n|---|---|---|---|---|\n"
    return head + "".join(map(_line, mine))


def _line(row: Row) -> str:
    cells = [row.verdicts[name].short() for name in PROXIES]
    return f"| {row.case.name} | {row.case.why.replace('|', chr(92) + '|')} | {' | '.join(cells)} |\n"


def table(rows: list[Row]) -> str:
    """Every case, for a terminal."""
    lines = [f"{'case':36}" + "".join(f"{name:26}" for name in PROXIES)]
    for row in rows:
        mark = "<" if row.wider_than() else "*" if row.differs_from() else " "
        cells = "".join(f"{row.verdicts[name].short():26}" for name in PROXIES)
        lines.append(f"{mark}{row.case.name:35}{cells}".rstrip())
    return "\n".join(lines)
