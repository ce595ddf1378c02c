"""Traces from CSV files; what cannot be read is told with its line."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from tidegate.simulation.trace import Request, Trace

TOKENS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
SECONDS = ("arrival", "seconds")


def read_trace(lines: Iterable[str]) -> Trace:
    """The trace of a CSV file with a header, either TIMESTAMP,ContextTokens,GeneratedTokens (as the Azure
    Public Dataset has it) or arrival,seconds (when it came, and how long it runs alone, both in seconds).

    Lines need not be in order. The first arrival is the trace's zero, the last one its end. ValueError
    names the line and the column.
    """
    rows = csv.reader(lines)
    header = tuple(name.strip() for name in next(rows, []))
    read = _READERS.get(header)
    if read is None:
        raise ValueError(
            f"line 1: the header is {','.join(header) or 'missing'}; "
            f"it must be {','.join(TOKENS)} or {','.join(SECONDS)}"
        )
    requests = sorted(_requests(rows, len(header), read), key=lambda request: request.arrival)
    if not requests:
        raise ValueError("line 2: no request follows the header")
    return _from_zero(requests)


def _from_zero(requests: list[Request]) -> Trace:
    zero = requests[0].arrival
    moved = tuple(
        Request(each.arrival - zero, each.prompt_tokens, each.generated_tokens, each.seconds)
        for each in requests
    )
    return Trace(moved, moved[-1].arrival)


def _requests(
    rows: Iterator[list[str]], columns: int, read: Callable[[list[str]], Request]
) -> Iterator[Request]:
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            if len(row) != columns:
                raise ValueError(f"{len(row)} columns where the header has {columns}")
            yield read(row)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None


def _with_tokens(row: list[str]) -> Request:
    return Request(_timestamp(row[0]), _tokens("ContextTokens", row[1]), _tokens("GeneratedTokens", row[2]))


def _with_seconds(row: list[str]) -> Request:
    return Request(_number("arrival", row[0]), seconds=_positive("seconds", row[1]))


_READERS: Mapping[tuple[str, ...], Callable[[list[str]], Request]] = {
    TOKENS: _with_tokens,
    SECONDS: _with_seconds,
}


def _timestamp(text: str) -> float:
    """Seconds since 1970; Azure writes seven decimals, of which a datetime keeps six."""
    whole, dot, fraction = text.strip().partition(".")
    try:
        moment = datetime.fromisoformat(whole)
        part = float(f"0.{fraction}") if dot else 0.0
    except ValueError:
        raise ValueError(f"TIMESTAMP: {text!r} is not like 2023-11-16 18:15:46.6805900") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() + part


def _tokens(name: str, text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdecimal()):
        raise ValueError(f"{name}: {text!r} is not a whole number, 0 or more")
    return int(text)


def _positive(name: str, text: str) -> float:
    if (value := _number(name, text)) <= 0:
        raise ValueError(f"{name}: {text!r} is not a number of seconds above 0")
    return value


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name}: {text!r} is not a number of seconds")
    return value
