import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.core_list import format_cores, parse_cores


@given(st.frozensets(st.integers(0, 2000)))
def test_what_is_written_is_read_again(cores: frozenset[int]) -> None:
    assert parse_cores(format_cores(cores)) == cores


def test_the_kernels_form_is_written() -> None:
    assert format_cores([8, 2, 3, 5]) == "2-3,5,8"


@pytest.mark.parametrize("text", ["a", "1-", "-1", "0-99999999999", "1;2", "²"])
def test_what_is_no_list_of_cores_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="list of cores"):
        parse_cores(text)
