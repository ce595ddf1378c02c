"""The corpus against a gateway on real sockets: what reached the worker is what the corpus says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.component.gateway.corpus.all_cases import CASES
from tests.component.gateway.corpus.case import LAST, Case, Seen
from tests.component.gateway.harness import HandSubstrate, config, gateway, ready, worker
from tests.component.gateway.recording import Recorder, exchange, recorder
from tidegate.domain.service import ServiceView

SEEN_LAST = Seen(b"GET", b"/v1/last")
_SECONDS = 15.0  # every case ends by a close; this is only reached where one does not


@dataclass
class Running:
    """A gateway before a recording worker."""

    port: int
    backend: Recorder


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    async with recorder() as backend:
        substrate = HandSubstrate(ServiceView(config(), (worker(backend.port, ready=True),)))
        async with gateway(substrate) as gate:
            await ready(gate)
            yield Running(gate.port, backend)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_what_reaches_the_worker_is_what_the_corpus_says(case: Case, running: Running) -> None:
    statuses, closed = await exchange(running.port, case.data + LAST, _SECONDS)
    last = () if case.status or case.ends else (SEEN_LAST,)
    assert closed
    assert running.backend.taken() == [*case.reached, *last]
    assert statuses == [*(200,) * len(case.reached + last), *((case.status,) if case.status else ())]


def test_the_corpus_has_at_least_two_hundred_malformed_requests_each_with_a_sentence() -> None:
    assert sum(case.status > 0 for case in CASES.values()) >= 200
    assert all(case.why.endswith((".", "?")) and " " in case.why for case in CASES.values())
