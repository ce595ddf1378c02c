"""kopf, embedded: started and ended with a block, without a registry, a login or a signal of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import kopf

from tidegate.controller.handlers import kopf_settings
from tidegate.kube.errors import KubeError
from tidegate.kube.login import current_login

_logger = logging.getLogger(__name__)

END_BUDGET = 8.0  # seconds; kopf itself waits 5 for what it calls hung


def new_registry() -> kopf.OperatorRegistry:
    """A registry that logs in as our own client does."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.ConnectionInfo:
        found = await current_login()
        return kopf.ConnectionInfo(
            server=found.server,
            ca_path=found.ca_path,
            certificate_path=found.certificate_path,
            private_key_path=found.private_key_path,
            scheme="Bearer" if found.token else None,
            token=found.token,
            insecure=found.insecure,
        )

    return registry


@asynccontextmanager
async def kopf_running(
    registry: kopf.OperatorRegistry, stop: asyncio.Event, namespace: str | None = None
) -> AsyncIterator[None]:
    """kopf feeds its handlers within this block, with the events of one namespace or (None) of all; ``stop``
    is set where it ends by itself.

    Leave the block last: at its end kopf cancels every task that was made since it began. KubeError
    where a watch failed for good, which kopf takes for the end of everything.
    """
    end, started = asyncio.Event(), asyncio.Event()
    before = asyncio.all_tasks()
    task = asyncio.create_task(_operate(registry, namespace, end, started), name="kopf")

    def release(_: object) -> None:
        stop.set()
        started.set()

    task.add_done_callback(release)
    try:
        await started.wait()
        stop_on_signals(stop)  # kopf has taken them for itself
        yield
    finally:
        end.set()
        await _ended(task, before)


async def _operate(
    registry: kopf.OperatorRegistry, namespace: str | None, end: asyncio.Event, started: asyncio.Event
) -> None:
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(),
        clusterwide=namespace is None,
        namespaces=[namespace] if namespace else [],
        standalone=True,
        stop_flag=end,
        ready_flag=started,
    )


async def _ended(task: asyncio.Task[None], before: set[asyncio.Task[Any]]) -> None:
    """kopf may wait for ever for what it has cancelled: after the budget, all that is left is cancelled."""
    done, _ = await asyncio.wait([task], timeout=END_BUDGET)
    if not done:
        _logger.warning("kopf does not end within %g s; what it waits for is cancelled", END_BUDGET)
        for each in asyncio.all_tasks() - before - {asyncio.current_task()}:
            each.cancel()
        await asyncio.wait([task], timeout=END_BUDGET)
    if task.done() and not task.cancelled() and (error := task.exception()):
        raise KubeError(0, "WatchFailed", f"a watch failed for good: {error!r}") from error


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set the event; outside the main thread signals are somebody else's business."""
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
