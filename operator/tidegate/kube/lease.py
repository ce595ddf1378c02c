"""The Lease on the API server: read, written with optimistic locking, watched, and taken by force."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from time import time
from typing import Any

from tidegate.domain.lease import DURATION, LeaseRecord
from tidegate.domain.timestamps import to_micro_timestamp
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import ConflictError, KubeError, NotFoundError
from tidegate.kube.owner import owner_reference
from tidegate.resources.names import FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL, OPERATOR


@dataclass(frozen=True, slots=True)
class LeaseName:
    """Where the Lease is, and the Deployment that owns it, so that it goes when the chart goes.

    ``always_owned``: no Lease is made where that Deployment is gone: nothing would ever remove it."""

    namespace: str
    name: str = OPERATOR
    owner_deployment: str = OPERATOR
    always_owned: bool = False


class LeaseClient:
    """One Lease. KubeError where the API server refuses or is away."""

    def __init__(self, client: KubeClient, where: LeaseName, now: Callable[[], float] = time) -> None:
        self._client = client
        self._where = where
        self._now = now  # what people read in the Lease; nobody decides by it
        self._path = paths.lease(where.namespace, where.name)

    async def read(self) -> LeaseRecord | None:
        """The Lease as it is; None where there is none."""
        try:
            return record_of(await self._client.get(self._path))
        except NotFoundError:
            return None

    async def acquire(
        self, based_on: LeaseRecord, holder: str, duration: float, transitions: int
    ) -> LeaseRecord:
        """Make ``holder`` the holder for ``duration`` seconds; the Lease after that.

        ConflictError where it is not any more as ``based_on`` says.
        """
        stamp = to_micro_timestamp(self._now())
        spec: Json = {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(duration)),
            "renewTime": stamp,
            "leaseTransitions": transitions,
        }
        if holder != based_on.holder:
            spec["acquireTime"] = stamp
        return await (self._write(based_on, spec) if based_on.version else self._create(spec))

    async def renew(self, based_on: LeaseRecord) -> LeaseRecord:
        """Renew it for its holder; the Lease after that. ConflictError as for acquire."""
        return await self._write(based_on, {"renewTime": to_micro_timestamp(self._now())})

    async def release(self, based_on: LeaseRecord) -> LeaseRecord:
        """Say that nobody holds it any more; the Lease after that. ConflictError as for acquire."""
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": to_micro_timestamp(self._now())}
        return await self._write(based_on, spec)

    async def releases(self, since: LeaseRecord) -> AsyncGenerator[None, None]:
        """Yields whenever a watch tells that nobody holds the Lease any more, until the server ends it."""
        collection = paths.leases(self._where.namespace)
        selector = f"metadata.name={self._where.name}"
        watch = self._client.watch(collection, since.version or "0", field_selector=selector)
        async with aclosing(watch) as events:
            async for event in events:
                gone = event.type == "DELETED"
                if gone or (event.type != "BOOKMARK" and not record_of(event.object).holder):
                    yield

    async def seize(self, holder: str, duration: float) -> LeaseRecord:
        """Take the Lease by force; returns when whoever held it has stopped for certain, 10 s later.

        A leader stops before that, whether it notices or not; so it may when the holder is ``holder``
        itself: then this is done for a second time, and the first one may not have waited to its end.
        KubeError; what was written stays.
        """
        while True:
            before = await self.read() or LeaseRecord()
            try:
                taken = await self.acquire(before, holder, duration, before.transitions + 1)
            except ConflictError:
                continue  # its holder has renewed it between the two requests
            if before.holder:
                await asyncio.sleep(DURATION)
            return taken

    async def _write(self, based_on: LeaseRecord, spec: Json) -> LeaseRecord:
        body = {"metadata": {"resourceVersion": based_on.version}, "spec": spec}
        return record_of(await self._client.merge_patch(self._path, body, field_manager=FIELD_MANAGER))

    async def _create(self, spec: Json) -> LeaseRecord:
        where = self._where
        metadata: Json = {"name": where.name, "labels": {MANAGED_BY_LABEL: MANAGED_BY}}
        if owner := await owner_reference(self._client, where.namespace, where.owner_deployment):
            metadata["ownerReferences"] = [owner]
        elif where.always_owned:
            raise KubeError(
                404,
                "NotFound",
                f"{where.owner_deployment}: the Deployment that would own the "
                "Lease does not exist, as while tidegate is uninstalled",
            )
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        collection = paths.leases(where.namespace)
        return record_of(await self._client.create(collection, body, field_manager=FIELD_MANAGER))


def record_of(raw: Json) -> LeaseRecord:
    """What an election reads in a Lease; a duration that nobody could have meant counts as ours."""
    spec: dict[str, Any] = raw.get("spec") or {}
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        version=str(raw["metadata"]["resourceVersion"]),
        duration=float(spec.get("leaseDurationSeconds") or DURATION),
        transitions=int(spec.get("leaseTransitions") or 0),
    )
