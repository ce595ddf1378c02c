"""How many files `tidegate up` may have open, and what its workers get of that."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tidegate.local.processes.launching import take_more_files

LIMIT = resource.RLIMIT_NOFILE


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    before = resource.getrlimit(LIMIT)
    yield
    resource.setrlimit(LIMIT, before)


def test_it_takes_all_that_it_may_have_and_tells_what_it_had() -> None:
    hard = resource.getrlimit(LIMIT)[1]
    resource.setrlimit(LIMIT, (512, hard))
    assert take_more_files() == 512
    assert resource.getrlimit(LIMIT) == (hard, hard)
    assert take_more_files() is None, "nothing has changed, so a worker needs nothing back"
