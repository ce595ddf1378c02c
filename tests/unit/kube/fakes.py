"""Stand-ins for the edges of kube: a sink that remembers, and objects as an API server sends them."""

from __future__ import annotations

from typing import Any

from tidegate.domain.service import ServiceConfig, ServiceKey, ServiceView


class RecordingSink:
    """Keeps the present state and the order of what it was told."""

    def __init__(self) -> None:
        self.views: dict[ServiceKey, ServiceView] = {}
        self.log: list[str] = []

    def service_changed(self, view: ServiceView) -> None:
        self.views[view.config.key] = view
        self.log.append(f"changed {view.config.key} {len(view.workers)}")

    def service_removed(self, key: ServiceKey) -> None:
        del self.views[key]
        self.log.append(f"removed {key}")

    def synced(self) -> None:
        self.log.append("synced")

    def uids(self, key: ServiceKey) -> list[str]:
        return [worker.uid for worker in self.views[key].workers]


def service(name: str, version: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "a", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": spec}


def pod(uid: str, of: str, version: int = 1, **metadata: Any) -> dict[str, Any]:
    common: dict[str, Any] = {"name": uid, "namespace": "a", "uid": uid, "resourceVersion": str(version)}
    common["labels"] = {"tidegate.io/inferenceservice": of}
    return {"metadata": common | metadata, "status": {}}


def parse(raw: dict[str, Any]) -> ServiceConfig:
    """Like the resource's own parser: ValueError with the field for what cannot be read."""
    if "wrong" in raw["spec"]:
        raise ValueError(f"spec.wrong: {raw['spec']['wrong']}")
    metadata = raw["metadata"]
    key = ServiceKey(metadata["namespace"], metadata["name"])
    return ServiceConfig(key, 0.0, (key.name,), max_depth=raw["spec"].get("depth", 128))
