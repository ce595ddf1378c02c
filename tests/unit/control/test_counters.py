from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from tests.unit.controller.streams import serving
from tidegate.control.counters import CounterWatch, WorkerCounters, parse_counters
from tidegate.domain.service import ServiceKey

KEY = ServiceKey("team", "qwen")
HOSTS = {"w-1": "127.0.0.1"}


def exposition(running: float = 0, waiting: float = 0, ended: float = 0) -> str:
    return (
        "# HELP vllm:num_requests_running Requests in execution.\n"
        "# TYPE vllm:num_requests_running gauge\n"
        f'vllm:num_requests_running{{engine="0",model_name="a b"}} {running}\n'
        f'vllm:num_requests_waiting{{engine="0",model_name="a b"}} {waiting}\n'
        f'vllm:request_success_total{{finished_reason="stop",model_name="a b"}} {ended}\n'
        'vllm:request_success_total{finished_reason="length",model_name="a b"} 0.0\n'
        "process_open_fds 12\n"
    )


def test_vllms_gauges_and_totals_are_read() -> None:
    assert parse_counters(exposition(2, 1, 40)) == WorkerCounters(active=3, ended=40)


@pytest.mark.parametrize("text", ["", "<html>", "vllm:num_requests_running 1\n"])
def test_an_answer_without_the_gauges_tells_nothing(text: str) -> None:
    assert parse_counters(text) is None


class Worker:
    """A worker whose /metrics says ``text``, or nothing."""

    text = exposition()
    status = 200

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=self.text, status=self.status)


@pytest.fixture
async def worker() -> AsyncIterator[tuple[Worker, CounterWatch]]:
    fake = Worker()
    async with serving({"/metrics": fake.metrics}) as port, httpx.AsyncClient(trust_env=False) as client:
        yield fake, CounterWatch(client, port)


async def test_a_worker_with_requests_is_busy(worker: tuple[Worker, CounterWatch]) -> None:
    fake, watch = worker
    first = await watch.ask(KEY, HOSTS, now=10.0)
    assert (first.busy, first.first_asked, first.last_busy, first.complete) == (False, 10.0, None, True)
    fake.text = exposition(running=1)
    second = await watch.ask(KEY, HOSTS, now=20.0)
    assert (second.busy, second.first_asked, second.last_busy) == (True, 10.0, 20.0)


async def test_requests_that_ended_between_two_looks_are_noticed(worker: tuple[Worker, CounterWatch]) -> None:
    fake, watch = worker
    await watch.ask(KEY, HOSTS, now=10.0)
    fake.text = exposition(ended=1)
    found = await watch.ask(KEY, HOSTS, now=20.0)
    assert not found.busy
    assert found.last_busy == 20.0


async def test_a_worker_that_does_not_answer_makes_it_incomplete(worker: tuple[Worker, CounterWatch]) -> None:
    fake, watch = worker
    fake.status = 500
    assert not (await watch.ask(KEY, HOSTS, now=10.0)).complete


async def test_another_set_of_workers_is_a_new_beginning(worker: tuple[Worker, CounterWatch]) -> None:
    _, watch = worker
    await watch.ask(KEY, HOSTS, now=10.0)
    assert (await watch.ask(KEY, {"w-2": "127.0.0.1"}, now=20.0)).first_asked == 20.0
