"""Which pods are gateways, and when one is gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidegate.kube.client import WatchEvent
from tidegate.kube.gateway_peers import PeerPods


def pod(uid: str, address: str = "", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, **metadata}, "status": {"phase": phase, "podIP": address}}


def test_a_pod_is_a_gateway_from_its_address_until_it_is_gone_also_while_it_ends() -> None:
    told: list[list[tuple[str, int]]] = []

    def tell(addresses: Iterable[tuple[str, int]]) -> None:
        told.append(list(addresses))

    pods = PeerPods(tell)
    pods.listed([pod("a", "10.0.0.1"), pod("b", phase="Pending"), pod("c", "10.0.0.3", phase="Failed")])
    pods.changed(WatchEvent("MODIFIED", pod("b", "10.0.0.2")))
    pods.changed(WatchEvent("MODIFIED", pod("a", "10.0.0.1", deletionTimestamp="now")))
    pods.changed(WatchEvent("DELETED", pod("a", "10.0.0.1")))
    assert told == [[("10.0.0.1", 9091)], [("10.0.0.1", 9091), ("10.0.0.2", 9091)], [("10.0.0.2", 9091)]]
