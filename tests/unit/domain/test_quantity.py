from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.quantity import parse_bytes, parse_quantity, same_quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        (4, 4),
        ("500m", Decimal("0.5")),
        ("1Gi", 2**30),
        ("1.5Gi", 3 * 2**29),
        ("1G", 10**9),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12E-1", Decimal("1.2")),
        ("100n", Decimal("1e-7")),
        (".5", Decimal("0.5")),
        ("+2k", 2000),
        ("-1", -1),
    ],
)
def test_a_quantity_is_the_number_that_kubernetes_reads(text: str | int, number: Decimal | int) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize(
    "text", ["", "Gi", "1 Gi", "1GB", "1K", "0x10", "1e", "\u0661", "1_0", "1Gi\n", "nan"]
)
def test_what_is_no_quantity_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity") as refused:
        parse_quantity(text)
    assert repr(text) in str(refused.value)


def test_bytes_are_rounded_up_and_never_negative() -> None:
    assert parse_bytes("1500m") == 2
    with pytest.raises(ValueError, match="negative"):
        parse_bytes("-1Gi")


@given(st.integers(0, 2**40), st.sampled_from(["", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_bigger_units_are_the_same_size_written_shorter(count: int, unit: str) -> None:
    size = parse_bytes(f"{count}{unit}")
    assert same_quantity(f"{count}{unit}", size)
    assert not same_quantity(f"{count}{unit}", size + 1)


def test_texts_that_are_no_quantities_are_never_the_same_size() -> None:
    assert not same_quantity("a", "a")
    assert not same_quantity(True, True)
    assert not same_quantity(None, 1)
