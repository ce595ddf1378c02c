"""/status: what a person wants to know of each service, as JSON."""

from __future__ import annotations

from tidegate.domain.start_parts import parts_of
from tidegate.gateway.service import Service
from tidegate.gateway.traffic import Traffic


def status(traffic: Traffic) -> dict[str, object]:
    """The whole answer; durations are seconds, sizes bytes."""
    mesh = traffic.fleet.mesh
    peers = {} if mesh is None else {"gateways": mesh.status()}
    return {
        "ready": traffic.fleet.synced_once and not traffic.draining,
        "connections": len(traffic.connections),
        **peers,
        "services": [_service(service, traffic.time()) for service in traffic.fleet.services.values()],
    }


def _service(service: Service, now: float) -> dict[str, object]:
    flow, config = service.flow, service.config
    return {
        "service": str(service.key),
        "workerState": service.state.value,
        "arbitrates": service.arbitrates,  # where False, another gateway has the queue's numbers
        "depth": flow.depth,
        "waiting": flow.reading + flow.waiting,
        "inFlight": flow.in_flight,
        "maxDepth": config.max_depth,
        "bytesHeld": flow.bytes_held,
        "maxBytes": config.max_bytes,
        "arrivals": service.arrivals,
        "idleSeconds": service.idle_seconds(),
        "executionSeconds": round(flow.execution.seconds, 6) or None,  # lately; null: none has ended
        "endpoints": [
            {"address": f"{e.key.host}:{e.key.port}", "inFlight": e.in_flight, "limit": e.limit}
            for e in flow.endpoints
        ],
        "ejected": _ejected(service, now),
        "degradation": _degradation(service),
        "wakeRefused": flow.wake_refusal,
        "lastColdStart": _cold_start(service),
    }


def _degradation(service: Service) -> dict[str, object] | None:
    """The tier that the present depth is in, and its limit (null: none); null where degradation is off."""
    degradation = service.config.degradation
    if degradation is None:
        return None
    tier = degradation.tier(service.flow.depth)
    return {"tier": tier, "maxTokens": degradation.limit(tier)}


def _ejected(service: Service, now: float) -> list[dict[str, object]]:
    """The endpoints that are out (``untilSeconds``: not before that many have passed) or on trial (null)."""
    return [
        {
            "address": f"{key.host}:{key.port}",
            "failures": record.failures,
            "untilSeconds": round(max(0.0, record.until - now), 3) if record.out else None,
        }
        for key, record in service.ejections.records.items()
        if record.out or record.failures > 1
    ]


def _cold_start(service: Service) -> dict[str, object] | None:
    """The latest one: seconds of each part that has been reached; null where there was none."""
    start = service.starts.latest
    if start is None:
        return None
    parts = {part.value: round(seconds, 3) for part, seconds in parts_of(start.points).items()}
    return {
        "worker": start.worker or None,
        "settled": start.settled,
        "seconds": round(sum(parts.values()), 3),
        "parts": parts,
    }
