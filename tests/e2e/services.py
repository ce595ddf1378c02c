"""InferenceServices of the end-to-end tests, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.e2e.kubectl import Kubectl, Object, eventually

ENGINE_SIM = "tidegate.local/engine-sim:dev"


def simulated(name: str, namespace: str, **environment: str) -> Object:
    """An InferenceService whose engine is simulated; ``environment`` sets the engine's behaviour."""
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"uri": "file:///models/simulated"},
            "engine": {
                "image": ENGINE_SIM,
                "env": [{"name": key, "value": value} for key, value in environment.items()],
            },
            "resources": {"cpu": 1, "memory": "256Mi"},
            "scaling": {"idleTimeoutSeconds": 3, "coldStartTimeoutSeconds": 60},
        },
    }


class Services:
    """The InferenceServices of one namespace."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self.namespace = namespace

    def create(self, name: str, *, idle: int = 3, **environment: str) -> Object:
        """A service with a simulated engine, returned when it is Idle. ``idle``: seconds after which it
        sleeps: long, where something is looked at while it runs."""
        manifest = simulated(name, self.namespace, **environment)
        manifest["spec"]["scaling"]["idleTimeoutSeconds"] = idle
        self.apply(manifest)
        self.wait_phase(name, "Idle", seconds=120)
        return manifest

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Applies a manifest of the caller's own."""
        self._kubectl.apply(manifest)

    def get(self, name: str) -> Object:
        """The service as the API server has it."""
        resource: Object = self._kubectl.get("inferenceservices.tidegate.io", name, "-n", self.namespace)
        return resource

    def phase(self, name: str) -> str:
        """The service's phase, empty before it has one."""
        return str(self.get(name).get("status", {}).get("phase", ""))

    def observed(self, name: str) -> int:
        """The generation that the status speaks of, 0 before there is one."""
        return int(self.get(name).get("status", {}).get("observedGeneration", 0))

    def condition(self, name: str, kind: str) -> Object:
        """One condition of the service, empty before it has it."""
        conditions = self.get(name).get("status", {}).get("conditions", [])
        found: Object = next((each for each in conditions if each["type"] == kind), {})
        return found

    def pods(self, name: str) -> list[Object]:
        """The worker pods of the service."""
        selector = f"tidegate.io/inferenceservice={name}"
        pods: list[Object] = self._kubectl.get("pods", "-n", self.namespace, "-l", selector)["items"]
        return pods

    def events(self, name: str, reason: str) -> list[int]:
        """How often each Event of the service with this reason says that it happened."""
        events = self._kubectl.get("events.v1.events.k8s.io", "-n", self.namespace)["items"]
        ours = [e for e in events if (e["regarding"]["name"], e["reason"]) == (name, reason)]
        return [(event.get("series") or {}).get("count", 1) for event in ours]

    def notes(self, name: str, reason: str) -> list[str]:
        """The notes of the service's Events with this reason."""
        events = self._kubectl.get("events.v1.events.k8s.io", "-n", self.namespace)["items"]
        return [e["note"] for e in events if (e["regarding"]["name"], e["reason"]) == (name, reason)]

    def cold_start(self, name: str) -> Object:
        """What the status says of the cold starts, once the parts of the last one are known."""

        def known() -> bool:
            return "parts" in self.get(name).get("status", {}).get("coldStarts", {})

        eventually(known, f"the parts of {name}'s cold start are known", seconds=120)
        found: Object = self.get(name)["status"]["coldStarts"]
        return found

    def deployment(self, name: str) -> Object:
        """The worker Deployment of the service."""
        deployment: Object = self._kubectl.get("deployment", f"{name}-worker", "-n", self.namespace)
        return deployment

    def wait_started(self, name: str, count: int) -> None:
        """Returns when so many cold starts are counted, which happens as it is Running for the first time;
        that it runs may be over before anybody has looked."""
        eventually(
            lambda: self.get(name).get("status", {}).get("coldStarts", {}).get("count", 0) == count,
            f"{name} has started {count} times",
            seconds=120,
        )

    def wait_phase(self, name: str, phase: str, *, seconds: float) -> None:
        """Returns when the service is in the phase; AssertionError after ``seconds``."""
        eventually(lambda: self.phase(name) == phase, f"{name} is {phase}", seconds=seconds)
