"""The other gateways of an installation: the gateway's pods in its namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient, WatchEvent
from tidegate.kube.reflector import Collection, Pace, Reflector
from tidegate.resources.names import COMPONENT_LABEL, GATEWAY_PEER_PORT, NAME, NAME_LABEL

Tell = Callable[[Iterable[tuple[str, int]]], None]


class GatewayPeers:
    """Every gateway pod that has an address, until it is gone; this one's own is among them.

    Whether it is ready, or leaves, the gateways tell each other: sooner than the kubelet, and alike to all.
    """

    def __init__(self, client: KubeClient, namespace: str, pace: Pace | None = None) -> None:
        self._client = client
        self._pods = Collection(paths.pods(namespace), f"{NAME_LABEL}={NAME},{COMPONENT_LABEL}=gateway")
        self._pace = pace

    async def watch(self, tell: Tell) -> None:
        """Tells all addresses, now and after each change, until cancelled."""
        await Reflector(self._client, self._pods, PeerPods(tell), pace=self._pace).run()


class PeerPods:
    """A mirror of these pods."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._addresses: dict[str, str] = {}  # by the pod's uid; empty while it has none
        self._told: set[str] | None = None

    def listed(self, items: list[Json]) -> None:
        """These are all."""
        self._addresses = {pod["metadata"]["uid"]: _address(pod) for pod in items}
        self._tell_changes()

    def changed(self, event: WatchEvent) -> None:
        """One is new, changed or gone."""
        uid = event.object["metadata"]["uid"]
        if event.type == "DELETED":
            self._addresses.pop(uid, None)
        else:
            self._addresses[uid] = _address(event.object)
        self._tell_changes()

    def _tell_changes(self) -> None:
        addresses = {address for address in self._addresses.values() if address}
        if addresses != self._told:
            self._told = addresses
            self._tell([(address, GATEWAY_PEER_PORT) for address in sorted(addresses)])


def _address(pod: Json) -> str:
    status = pod.get("status") or {}
    return "" if status.get("phase") in ("Failed", "Succeeded") else str(status.get("podIP") or "")
