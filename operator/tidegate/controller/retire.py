"""Takes back what tidegate wrote on nodes, before it is uninstalled: nothing else of it outlives the chart.

The Lease is taken first, by force and for an hour, so that no operator that still runs writes them anew. If
the rest fails, nothing is uninstalled, and the Lease is given back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from tidegate.domain.lease import LeaseRecord
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import KubeError, NotFoundError, PatchTestError
from tidegate.kube.ownership import wrote_label
from tidegate.resources.names import CPU_POLICY_LABEL, FIELD_MANAGER

_logger = logging.getLogger(__name__)

BUDGET = 60.0  # seconds for all of it; waiting the former leader out takes 10 of them
HOLDER = "tidegate-retire"
LEASE_SECONDS = 3600.0  # an uninstallation that hangs so long must be looked at anyway
AT_ONCE = 16

Say = Callable[[str], None]


class Seizable(Protocol):
    """The Lease; kube.lease.LeaseClient is one. Every method raises KubeError."""

    async def seize(self, holder: str, duration: float) -> object:
        """Returns when nobody else leads; ``duration`` in seconds."""
        ...

    async def read(self) -> LeaseRecord | None:
        """As it is."""
        ...

    async def release(self, based_on: LeaseRecord) -> object:
        """Nobody holds it any more."""
        ...


async def retire(client: KubeClient, lease: Seizable, say: Say) -> int:
    """How many nodes lost their label; each step is said. A second run finds nothing to do.

    KubeError where the Lease cannot be taken, the nodes cannot be listed, a label cannot be removed, or all
    of it takes too long.
    """
    try:
        async with asyncio.timeout(BUDGET):
            return await _retire(client, lease, say)
    except TimeoutError:
        raise KubeError(0, "Timeout", f"not done within {BUDGET:g} s; run it again") from None


async def _retire(client: KubeClient, lease: Seizable, say: Say) -> int:
    done = False
    try:
        await lease.seize(HOLDER, LEASE_SECONDS)
        say("the operators have stopped: the Lease is taken for an hour")
        removed = await _clean_all(client, say)
        done = True
        return removed
    finally:
        if not done:  # the operators stay, and must not stand still for an hour
            await _give_back(lease)


async def _give_back(lease: Seizable) -> None:
    with suppress(KubeError):  # what went wrong first is what is told
        record = await lease.read()
        if record and record.holder == HOLDER:
            await lease.release(record)


async def _clean_all(client: KubeClient, say: Say) -> int:
    """How many nodes lost their label."""
    nodes, _ = await client.list_all(paths.NODES)
    labelled = [node for node in nodes if CPU_POLICY_LABEL in (node["metadata"].get("labels") or {})]
    ours = [node for node in labelled if wrote_label(node, CPU_POLICY_LABEL)]
    gate = asyncio.Semaphore(AT_ONCE)
    removed = sum(await asyncio.gather(*(_clean(client, gate, node, say) for node in ours)))
    if kept := len(labelled) - len(ours):
        say(f"{kept} labels {CPU_POLICY_LABEL} that others wrote were left")
    say(f"{removed} of {len(nodes)} nodes had a label of tidegate's, which is gone")
    return removed


async def _clean(client: KubeClient, gate: asyncio.Semaphore, node: Json, say: Say) -> bool:
    """Whether the label was removed; not where somebody has written another value meanwhile."""
    name, value = node["metadata"]["name"], node["metadata"]["labels"][CPU_POLICY_LABEL]
    path = "/metadata/labels/" + CPU_POLICY_LABEL.replace("/", "~1")
    operations: list[Json] = [
        {"op": "test", "path": path, "value": value},
        {"op": "remove", "path": path},
    ]
    async with gate:
        try:
            await client.json_patch(paths.node(name), operations, field_manager=FIELD_MANAGER)
        except (NotFoundError, PatchTestError) as error:
            _logger.debug("node %s has changed meanwhile: %s", name, error)
            return False
    say(f"node {name}: {CPU_POLICY_LABEL}={value} removed")
    return True
