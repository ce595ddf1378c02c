"""What a wake costs the API server, however many requests wait."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from harness.report import Findings, Goal, Measure
from tidegate.kube.client import Json
from tidegate.resources.names import worker_deployment
from wake.at_once import SMALL, require_answered
from wake.field import Field

NAME = "crowd"
CROWDS = (1, 100, 1000)
GATEWAY_ACCOUNT = "system:serviceaccount:tidegate-system:tidegate-gateway"


async def patches(field: Field, audit_log: Path) -> Findings:
    """How often the gateway writes the scale for one wake."""
    await field.create(NAME, {**SMALL, "queue": {"maxDepth": max(CROWDS)}})
    findings = Findings()
    for waiting in CROWDS:
        await field.asleep([NAME])
        count = await _woken(field, audit_log, waiting)
        text = f"{waiting:,} wait: writes of the scale by the gateway"
        findings.measures.append(Measure(f"patches_{waiting}", text, "writes", {"tidegate": count}, Goal(1)))
        print(f"{text}: {count}", flush=True)
    await field.asleep([NAME])
    return findings


async def _woken(field: Field, audit_log: Path, waiting: int) -> int:
    begun = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    require_answered(await asyncio.gather(*(field.wake(NAME) for _ in range(waiting))))
    return written_scales(audit_log, worker_deployment(NAME), begun)


def written_scales(audit_log: Path, deployment: str, since: str) -> int:
    """The gateway's requests that change this Deployment's scale, answered however, since that moment."""
    lines = (line for line in audit_log.read_text().splitlines() if GATEWAY_ACCOUNT in line)
    entries: list[Json] = [json.loads(line) for line in lines]
    return sum(
        1
        for entry in entries
        if entry["verb"] in ("patch", "update")
        and entry["requestReceivedTimestamp"] >= since
        and (entry["objectRef"]["name"], entry["objectRef"].get("subresource")) == (deployment, "scale")
    )
