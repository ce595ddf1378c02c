"""What is done again where the machine is short of something."""

from __future__ import annotations

import errno

import pytest

from tidegate.local import insisting
from tidegate.local.insisting import anything, insist, is_shortage


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (OSError(errno.EMFILE, "too many open files"), True),
        (BlockingIOError(errno.EAGAIN, "again"), True),
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("a defect"), False),
        (FileNotFoundError(errno.ENOENT, "none"), False),
        (KeyError("x"), False),
    ],
)
def test_a_shortage_is_told_from_a_defect(error: Exception, *, short: bool) -> None:
    assert is_shortage(error) is short


async def test_a_step_is_done_until_it_succeeds_and_each_reason_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(insisting, "AGAIN_SECONDS", 0.0)
    errors: list[Exception] = [
        OSError(errno.EMFILE, "full"),
        OSError(errno.EMFILE, "full"),
        ValueError("odd"),
    ]

    async def step() -> None:
        if errors:
            raise errors.pop(0)

    await insist("chat", step, anything)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "full" in caplog.messages[0]
    assert "odd" in caplog.messages[1]


async def test_what_does_not_pass_is_raised() -> None:
    async def step() -> None:
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        await insist("chat", step, is_shortage)
