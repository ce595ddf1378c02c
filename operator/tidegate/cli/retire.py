"""``tidegate retire``: takes back what is on the nodes, before uninstalling."""

from __future__ import annotations

import argparse
import asyncio


def add_retire(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--namespace", required=True, help="the installation's own namespace")
    parser.set_defaults(command=_retire)


def _retire(options: argparse.Namespace) -> int:
    asyncio.run(_retire_cluster(options.namespace))
    return 0


async def _retire_cluster(namespace: str) -> None:
    from tidegate.controller.retire import retire  # noqa: PLC0415
    from tidegate.kube.client import KubeClient  # noqa: PLC0415
    from tidegate.kube.lease import LeaseClient, LeaseName  # noqa: PLC0415

    async with await KubeClient.connect() as client:
        await retire(client, LeaseClient(client, LeaseName(namespace)), print)
