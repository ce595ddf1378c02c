from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.limits import DEFAULT, SPEC, QueueLimit, noted_value, queue_limit

DEPTHS = st.integers(1, 100_000)


@given(DEPTHS)
def test_without_a_limit_the_installations_default_holds(default: int) -> None:
    assert queue_limit(None, None, default) == QueueLimit(default, DEFAULT)


@given(DEPTHS, DEPTHS)
def test_the_users_limit_holds_whatever_the_default_is(depth: int, default: int) -> None:
    assert queue_limit(depth, None, default) == QueueLimit(depth, SPEC)


@given(DEPTHS, DEPTHS)
def test_a_defaulted_value_follows_a_changed_default(first: int, second: int) -> None:
    written = queue_limit(None, None, first)
    assert queue_limit(written.limit, written.note, second) == QueueLimit(second, DEFAULT)


@given(DEPTHS, DEPTHS, DEPTHS)
def test_a_value_that_differs_from_its_note_is_the_users(depth: int, noted: int, default: int) -> None:
    limit = queue_limit(depth, f"{noted} from Default", default)
    assert limit.source == (DEFAULT if depth == noted else SPEC)


@given(DEPTHS, DEPTHS)
def test_what_the_webhook_wrote_needs_no_second_write(depth: int, default: int) -> None:
    once = queue_limit(None, None, default)
    assert queue_limit(once.limit, once.note, default) == once
    assert queue_limit(depth, None, default).note is None


def test_an_unreadable_note_is_no_note() -> None:
    for note in (None, "", "128", "0 from Default", "128 from", "many from Default", "9999999 from Default"):
        assert noted_value(note) is None
