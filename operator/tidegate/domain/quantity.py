"""Kubernetes quantities (``64Mi``, ``0.5``, ``1e3``): parsed exactly, never through a float."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_PATTERN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d{1,3})?", re.ASCII)
_BINARY = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)}
_SMALL = {letter: Decimal(1000) ** -power for power, letter in enumerate("mun", start=1)}
_FACTORS = {**_BINARY, **_DECIMAL, **_SMALL}

Quantity = int | str


def parse_quantity(value: Quantity) -> Decimal:
    """The exact number that a quantity stands for; ValueError, naming the text, if it is none."""
    match = _PATTERN.fullmatch(str(value))
    if match is None:
        raise ValueError(
            f"{value!r} is not a quantity; write a number with an optional unit, such as 512Mi or 2Gi"
        )
    number, suffix = Decimal(match[1]), match[2]
    if suffix is None:
        return number
    factor = _FACTORS.get(suffix)
    return number * factor if factor is not None else number.scaleb(int(suffix[1:]))


def parse_bytes(value: Quantity) -> int:
    """A size in whole bytes, rounded up as Kubernetes does; ValueError where it is negative or none."""
    number = parse_quantity(value)
    if number < 0:
        raise ValueError(f"{value!r} is negative; a size is zero or more bytes")
    return int(number.to_integral_value(rounding=ROUND_CEILING))


def _stored(value: Quantity) -> Decimal:
    """In thousandths, rounded up to whole ones: the API server keeps no smaller parts of a resource."""
    return parse_quantity(value).scaleb(3).to_integral_value(rounding=ROUND_CEILING)


def same_quantity(left: object, right: object) -> bool:
    """Whether two values are quantities of one size: ``1024Mi`` and ``1Gi`` are, ``a`` and ``a`` are not."""
    if not (isinstance(left, int | str) and isinstance(right, int | str)):
        return False
    try:
        return _stored(left) == _stored(right)
    except ValueError:
        return False
