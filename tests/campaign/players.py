"""Scheduler and kubelet, played: every pod gets the node, is ready at once, and ends at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import aiohttp

from tests.component.operator.harness import ready_status
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import GoneError, KubeError

_NODE = "node-1"


class Kubelet:
    """Looks after the pods of one namespace until it is cancelled."""

    def __init__(self, kube: KubeClient, session: aiohttp.ClientSession, url: str, namespace: str) -> None:
        self._kube = kube
        self._session = session
        self._url = url
        self._namespace = namespace

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                await self._follow()
            except (KubeError, aiohttp.ClientError):
                await asyncio.sleep(0.1)

    async def _follow(self) -> None:
        items, version = await self._kube.list_all(paths.pods(self._namespace))
        for pod in items:
            await self._look_after(pod)
        watch = self._kube.watch(paths.pods(self._namespace), version)
        async with aclosing(watch) as events:
            async for event in events:
                if event.type in ("ADDED", "MODIFIED"):
                    await self._look_after(event.object)

    async def _look_after(self, pod: Json) -> None:
        path = paths.pod(self._namespace, pod["metadata"]["name"])
        if "deletionTimestamp" in pod["metadata"]:
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
            async with self._session.delete(f"{self._url}{path}", json=options):
                return
        try:
            if not pod["spec"].get("nodeName"):
                await self._bind(path, pod)
            elif not (pod.get("status") or {}).get("podIP"):
                status = {"status": ready_status(time.time())}
                await self._kube.merge_patch(f"{path}/status", status, field_manager="kubelet")
        except GoneError:
            raise
        except KubeError:
            return  # it has changed meanwhile, and that is an event

    async def _bind(self, path: str, pod: Json) -> None:
        name = pod["metadata"]["name"]
        binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": _NODE}}
        await self._kube.create(f"{path}/binding", binding, field_manager="scheduler")
