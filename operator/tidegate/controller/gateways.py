"""Which gateways there are: the pods of the gateway's Deployment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidegate.kube import paths
from tidegate.kube.client import WatchEvent
from tidegate.kube.reflector import Collection
from tidegate.resources.names import COMPONENT_LABEL, NAME, NAME_LABEL

Json = dict[str, Any]

Follow = Callable[[set[str], set[str]], None]  # (all addresses, those that take requests)


def gateway_pods(namespace: str) -> Collection:
    """The pods of the gateways of an installation; other programs in its namespace have gateways too."""
    return Collection(paths.pods(namespace), f"{NAME_LABEL}={NAME},{COMPONENT_LABEL}=gateway")


class GatewayPods:
    """A mirror of these pods that tells their addresses whenever one of them changed."""

    def __init__(self, follow: Follow) -> None:
        self._follow = follow
        self._pods: dict[str, Json] = {}
        self._told: tuple[set[str], set[str]] | None = None

    def listed(self, items: list[Json]) -> None:
        """These are all."""
        self._pods = {pod["metadata"]["uid"]: pod for pod in items}
        self._tell()

    def changed(self, event: WatchEvent) -> None:
        """One is new, changed or gone."""
        uid = event.object["metadata"]["uid"]
        if event.type == "DELETED":
            self._pods.pop(uid, None)
        else:
            self._pods[uid] = event.object
        self._tell()

    def _tell(self) -> None:
        """One that ends is heard to its end: what it still serves must not be put to sleep."""
        known = {address for pod in self._pods.values() if (address := _address(pod))}
        serving = {_address(pod) for pod in self._pods.values() if _serves(pod)} & known
        if (known, serving) != self._told:
            self._told = known, serving
            self._follow(known, serving)


def _address(pod: Json) -> str:
    status = pod.get("status") or {}
    return "" if status.get("phase") in ("Failed", "Succeeded") else str(status.get("podIP") or "")


def _serves(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
