"""A place for each test, and one with an `up` for all tests of a module that wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.component.local.place import Place, place


@pytest_asyncio.fixture
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A place of the test's own."""
    async with place(tmp_path_factory.mktemp("up")) as found:
        yield found
