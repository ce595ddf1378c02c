"""Why a pod has no node: the scheduler's sentence, with what it means in front."""

from __future__ import annotations

import re

from tidegate.domain.cause import Cause, sentence, word
from tidegate.domain.loose import Json, mapping, mappings, text
from tidegate.domain.reasons import Reason

_INSUFFICIENT = re.compile(r"Insufficient ([^\s,]+?)[.,]?(?=\s|$)", re.ASCII)
_NODES = re.compile(r"0/(\d+) nodes are available")
_MISMATCHED = re.compile(r"(\d+) node\(s\) didn't match Pod's node affinity/selector")
_TAINTED = re.compile(r"(\d+) node\(s\) had untolerated taint")
_TOLERATIONS = "placement.tolerations"
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_UNBOUND = "unbound immediate PersistentVolumeClaims"
# What preemption would not help, and what the scheduler adds about claims that no pod here has.
_NOISE = re.compile(r"[.,]? *(no new claims to deallocate|preemption:|not found$).*")


def scheduling_cause(pod: Json, said: Json) -> Cause:
    """The cause in the condition PodScheduled of a pod; never a failure, since a node may come."""
    reason = word(said.get("reason"), Reason.UNSCHEDULABLE)
    told = sentence(said.get("message"), "no node was found")
    if found := _claim_cause(pod, told):
        return found
    told = _NOISE.sub("", told) or told
    if reason == Reason.UNSCHEDULABLE and (kept_off := _kept_off(pod, told)):
        return Cause(kept_off[0], f"{kept_off[1]}: {told}", failure=False)
    missing = sorted(set(_INSUFFICIENT.findall(told)))
    head = f"no node has enough {' and '.join(missing)} left: " if missing else ""
    return Cause(reason, head + told, failure=False)


def _claim_cause(pod: Json, told: str) -> Cause | None:
    if missing := _CLAIM.search(told):
        text = f"the PersistentVolumeClaim {missing[1]} does not exist in the namespace"
        return Cause(Reason.CLAIM_NOT_FOUND, text, failure=False)
    if _UNBOUND in told:
        names = " and ".join(_claims(pod)) or "of the pod"
        text = (
            f"the PersistentVolumeClaim {names} is not bound: no volume fits, or its storage class has none"
        )
        return Cause(Reason.CLAIM_UNBOUND, text, failure=False)
    return None


def _claims(pod: Json) -> list[str]:
    volumes = mappings(mapping(pod.get("spec")).get("volumes"))
    return [
        name
        for each in volumes
        if (name := text(mapping(each.get("persistentVolumeClaim")).get("claimName")))
    ]


def _kept_off(pod: Json, told: str) -> tuple[Reason, str] | None:
    """Where labels and taints alone keep the pod off every node, so that more room would not help."""
    nodes = _NODES.search(told)
    mismatched, tainted = (sum(map(int, each.findall(told))) for each in (_MISMATCHED, _TAINTED))
    if nodes is None or mismatched + tainted != int(nodes[1]):
        return None
    if not mismatched:
        return Reason.UNSCHEDULABLE, f"every node has a taint that is not tolerated ({_TOLERATIONS})"
    asked = ", ".join(_wanted_labels(pod)) or "placement"
    rest = f", or else it has a taint that is not tolerated ({_TOLERATIONS})" if tainted else ""
    return Reason.NO_MATCHING_NODE, f"no node has the labels that are asked for ({asked}){rest}"


def _wanted_labels(pod: Json) -> list[str]:
    spec = mapping(pod.get("spec"))
    wanted = [f"{key}={value}" for key, value in sorted(mapping(spec.get("nodeSelector")).items())]
    terms = _required_terms(spec)
    wanted += [_expression(each) for term in terms for each in mappings(term.get("matchExpressions"))]
    return list(dict.fromkeys(each for each in wanted if each))


def _required_terms(spec: Json) -> list[Json]:
    affinity = mapping(mapping(spec.get("affinity")).get("nodeAffinity"))
    required = mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    return mappings(required.get("nodeSelectorTerms"))


def _expression(each: Json) -> str:
    """``nvidia.com/gpu.product in NVIDIA-L4|NVIDIA-L40S``."""
    values = each.get("values")
    listed = "|".join(str(value) for value in values) if isinstance(values, list) else ""
    return " ".join(
        part for part in (text(each.get("key")), text(each.get("operator")).lower(), listed) if part
    )
