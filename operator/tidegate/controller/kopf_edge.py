"""kopf, embedded: started and ended with a block, without a registry, a login or a signal of its own."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import kopf

from tidegate.controller.handlers import kopf_settings
from tidegate.kube.login import current_login


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
async def kopf_running(registry: kopf.OperatorRegistry, stop: asyncio.Event) -> AsyncIterator[None]:
    """kopf feeds its handlers within this block; ``stop`` is set where it ends by itself.

    Leave the block last: at its end kopf cancels every task that was made since it began.
    """
    end, started = asyncio.Event(), asyncio.Event()

    async def operate() -> None:
        try:
            await kopf.operator(
                registry=registry,
                settings=kopf_settings(),
                clusterwide=True,
                standalone=True,
                stop_flag=end,
                ready_flag=started,
            )
        finally:
            started.set()
            stop.set()

    task = asyncio.create_task(operate(), name="kopf")
    try:
        await started.wait()
        stop_on_signals(stop)  # kopf has taken them for itself
        yield
    finally:
        end.set()
        await task


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set the event; outside the main thread signals are somebody else's business."""
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
