"""/slo/<namespace>/<name>: what one service has counted since it began, for the condition SLOMet."""

from __future__ import annotations

from tidegate.domain.service import ServiceKey
from tidegate.gateway import families as f
from tidegate.gateway.traffic import Traffic

PREFIX = b"/slo/"
HISTOGRAMS = {
    "delay": f.DELAY,
    "execution": f.EXECUTION,
    "total": f.TOTAL,
    "firstToken": f.FIRST_TOKEN,
    "rate": f.RATE,
}


def slo_key(path: bytes) -> ServiceKey | None:
    """The service that a path asks for; None where it names none."""
    try:
        return ServiceKey.parse(path.removeprefix(PREFIX).decode("ascii"))
    except ValueError:
        return None


def slo_counts(traffic: Traffic, key: ServiceKey) -> dict[str, object] | None:
    """Counts between two edges, warm and cold starts together, and requests by outcome and status; None
    where there is no such service."""
    service = traffic.fleet.services.get(key)
    if service is None:
        return None
    traffic.books.settle()
    requests: dict[str, dict[str, int]] = {}
    for (outcome, code), count in service.meters.requests().items():
        requests.setdefault(outcome, {})[code] = count
    return {
        "service": str(key),
        "requests": requests,
        "histograms": {
            name: {"edges": f.EDGES[family], "counts": service.meters.counts(family)}
            for name, family in HISTOGRAMS.items()
        },
    }
