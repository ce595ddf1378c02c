"""Workers of one service on different nodes and in different zones, where there are several."""

from __future__ import annotations

from typing import Any

from tidegate.resources.labels import selector

_DOMAINS = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


def spread(service: str) -> list[dict[str, Any]]:
    """The pod's topologySpreadConstraints: a preference, so that a full node or zone stops nobody.

    A service with one worker has them too, where they do nothing: a greater maxReplicas would otherwise
    change the pod and so restart the worker that runs. Each rollout is spread for itself.
    """
    return [
        {
            "maxSkew": 1,
            "topologyKey": domain,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(service)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for domain in _DOMAINS
    ]
