"""How far the start of a worker has come, as its pod's own status shows it; nothing is guessed from time."""

from __future__ import annotations

from enum import IntEnum

from tidegate.domain.loose import Json, condition, mapping, mappings
from tidegate.domain.pod_containers import ENGINE
from tidegate.domain.reasons import Reason


class Stage(IntEnum):
    """In the order of a start."""

    PENDING = 0  # no node
    PREPARING = 1  # a node, no sandbox: volumes and network
    INITIALIZING = 2  # an init container runs
    CREATING_CONTAINER = 3  # the image is pulled, the container is made
    LOADING = 4  # the engine's process runs

    @property
    def reason(self) -> Reason:
        """The reason of ModelLoaded while it is so."""
        return Reason[self.name]

    @property
    def sentence(self) -> str:
        """The same for a person."""
        return _SENTENCES[self]

    def said(self, *, here: bool) -> str:
        """The same; ``here``: the worker is a process of one machine."""
        return _HERE.get(self, self.sentence) if here else self.sentence


_HERE = {
    Stage.PENDING: "a worker waits for cores, memory or devices",
    Stage.CREATING_CONTAINER: "the worker's process is about to be made",
}
_SENTENCES = {
    Stage.PENDING: "a worker waits for a node",
    Stage.PREPARING: "the node mounts the volumes and connects the network of a worker; "
    "kubectl describe pod names what it waits for",
    Stage.INITIALIZING: "an init container of a worker runs; with spec.cache it fetches the model",
    Stage.CREATING_CONTAINER: "the node pulls the engine's image or makes its container",
    Stage.LOADING: "the engine runs and has not loaded the model yet",
}


def stage_of(pod: Json) -> Stage:
    """How far the start of this pod has come; kubelets before 1.29 do not tell PREPARING."""
    status = mapping(pod.get("status"))
    if not mapping(pod.get("spec")).get("nodeName"):
        return Stage.PENDING
    if any(_runs(each) for each in mappings(status.get("containerStatuses")) if each.get("name") == ENGINE):
        return Stage.LOADING
    if condition(status, "PodReadyToStartContainers").get("status") == "False":
        return Stage.PREPARING
    inits = any(
        _runs(each) and not each.get("started") for each in mappings(status.get("initContainerStatuses"))
    )
    return Stage.INITIALIZING if inits or _uninitialized(status) else Stage.CREATING_CONTAINER


def _runs(container: Json) -> bool:
    return "running" in mapping(container.get("state"))


def _uninitialized(status: Json) -> bool:
    return condition(status, "Initialized").get("status") == "False"
