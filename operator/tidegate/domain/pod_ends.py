"""Why a pod was given up or is taken away, by its kubelet, its node, or somebody else."""

from __future__ import annotations

from tidegate.domain.cause import Cause, sentence, word
from tidegate.domain.loose import Json, condition, mapping, text
from tidegate.domain.reasons import Reason

_DISRUPTIONS = {
    "PreemptionByScheduler": (Reason.PREEMPTED, "a pod of a higher priority took its place"),
    "DeletionByTaintManager": (
        Reason.DISRUPTED,
        "its node got a taint that ends pods: it is lost, or is emptied",
    ),
    "EvictionByEvictionAPI": (Reason.DISRUPTED, "it was evicted, as when a node is drained"),
    "DeletionByPodGC": (Reason.NODE_LOST, "its node does not exist any more"),
    "TerminationByKubelet": (Reason.DISRUPTED, "its kubelet ended it"),
}


def failed_pod_cause(status: Json) -> Cause:
    """Why a pod has failed for good: its kubelet rejected or evicted it."""
    reason = word(status.get("reason"), "")
    told = sentence(status.get("message"), "the pod failed")
    if reason == Reason.EVICTED and "low on resource: memory" in told:
        told = f"the node ran out of memory: {told}"
    if not reason and (disrupted := _disruption(status)):
        return disrupted
    return Cause(reason or Reason.POD_FAILED, told)


def taken_away_cause(pod: Json) -> Cause | None:
    """Why a pod that ends was taken away; None where nobody says so, as when the service is put to sleep."""
    return node_lost_cause(pod) or _disruption(mapping(pod.get("status")))


def node_lost_cause(pod: Json) -> Cause | None:
    """Its node does not answer: the node controller, and nobody else, takes Ready back without a reason."""
    status = mapping(pod.get("status"))
    ready, containers = condition(status, "Ready"), condition(status, "ContainersReady")
    if ready.get("status") != "False" or ready.get("reason") or containers.get("status") != "True":
        return None
    node = text(mapping(pod.get("spec")).get("nodeName"))
    return Cause(
        Reason.NODE_LOST, f"the node {node} of the worker does not answer".replace("  ", " "), failure=False
    )


def _disruption(status: Json) -> Cause | None:
    said = condition(status, "DisruptionTarget")
    if said.get("status") != "True":
        return None
    reason, what = _DISRUPTIONS.get(text(said.get("reason")), (Reason.DISRUPTED, "somebody took it away"))
    return Cause(
        reason,
        f"a worker was ended: {what} ({sentence(said.get('message'), text(said.get('reason')))})",
        failure=False,
    )
