"""All that is left of a scenario in its namespace, without what differs from run to run for good reasons."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from tidegate.kube.client import Json, KubeClient

KINDS = (
    "/apis/tidegate.io/v1alpha1/namespaces/{}/inferenceservices",
    "/apis/apps/v1/namespaces/{}/deployments",
    "/apis/apps/v1/namespaces/{}/replicasets",
    "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "/api/v1/namespaces/{}/services",
    "/api/v1/namespaces/{}/pods",
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_POD = re.compile(r"(-worker-[a-z0-9]{5,10})-[a-z0-9]{5}\b")
_DROPPED = ("uid", "resourceVersion", "creationTimestamp", "generation", "selfLink")
_HASH = "tidegate.io/spec-hash"  # of a manifest that names namespace and uid


async def end_state(kube: KubeClient, namespace: str) -> Json:
    """Plural → the normalised objects, in an order that does not depend on random names."""
    lists = await asyncio.gather(*(kube.list_all(kind.format(namespace)) for kind in KINDS))
    owners = {each["metadata"]["uid"]: each["metadata"]["name"] for items, _ in lists for each in items}
    found: Json = {}
    for kind, (items, _) in zip(KINDS, lists, strict=True):
        plural = kind.rsplit("/", 1)[1]
        said = [_normalised(plural, each) for each in items]
        found[plural] = sorted(said, key=lambda each: json.dumps(each, sort_keys=True))
    text = json.dumps(found, sort_keys=True).replace(namespace, "NS")
    text = _UID.sub(lambda uid: f"uid of {owners.get(uid[0], 'something that is gone')}", text)
    result: Json = json.loads(_POD.sub(r"\1-POD", _TIME.sub("TIME", text)))
    return result


def service_of(state: Json) -> Json:
    """The one InferenceService of a state; empty where there is none."""
    items = state["inferenceservices"]
    return dict(items[0]) if items else {}


def phase(state: Json) -> str:
    """Its phase; empty where it has none."""
    return str((service_of(state).get("status") or {}).get("phase") or "")


def _normalised(plural: str, raw: Json) -> Json:
    raw = json.loads(json.dumps(raw))
    metadata = raw["metadata"]
    generation = metadata.get("generation")
    for name in _DROPPED:
        metadata.pop(name, None)
    metadata["managedFields"] = _managers(metadata.get("managedFields") or [])
    if _HASH in (metadata.get("annotations") or {}):
        metadata["annotations"][_HASH] = "HASH"
    _OF_KIND.get(plural, _as_it_is)(raw, generation)
    return dict(raw)


def _managers(fields: list[Json]) -> list[Json]:
    """Who owns what, without when; what controllers and kubelets of the cluster own is theirs."""
    kept = ("manager", "operation", "subresource", "fieldsV1")
    ours = [{name: each.get(name) for name in kept} for each in fields if "tidegate" in each["manager"]]
    return sorted(ours, key=lambda each: json.dumps(each, sort_keys=True))


def _inference_service(raw: Json, generation: int) -> None:
    status = raw.get("status") or {}
    status["observedGeneration"] = status.get("observedGeneration") == generation
    for condition in status.get("conditions") or []:
        condition["observedGeneration"] = condition.get("observedGeneration") == generation
        if condition["type"] == "CPUIsolated":  # names the workers of the last look, a minute apart
            condition.pop("message", None)
    # A cold start is counted when it is seen: one that begins and ends while no operator runs is not.
    status.pop("coldStarts", None)
    for entry in raw["metadata"]["managedFields"]:
        entry["fieldsV1"].get("f:status", {}).pop("f:coldStarts", None)


def _deployment(raw: Json, _: int) -> None:
    raw.pop("status", None)
    # A revision is counted by the cluster's own controller, one for each template that it saw.
    (raw["metadata"].get("annotations") or {}).pop("deployment.kubernetes.io/revision", None)


def _replica_set(raw: Json, _: int) -> None:
    raw.pop("status", None)
    raw["metadata"].pop("annotations", None)


def _pod(raw: Json, _: int) -> None:
    raw["metadata"].pop("name", None)


def _budget(raw: Json, generation: int) -> None:
    status = raw.get("status") or {}
    status["observedGeneration"] = status.get("observedGeneration") == generation


def _as_it_is(_: Json, __: Any) -> None:
    return None


_OF_KIND: dict[str, Callable[[Json, Any], None]] = {
    "inferenceservices": _inference_service,
    "deployments": _deployment,
    "replicasets": _replica_set,
    "poddisruptionbudgets": _budget,
    "pods": _pod,
}


def difference(wanted: Any, found: Any, path: str = "") -> list[str]:
    """The paths at which two states differ, and how."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        names = sorted(wanted.keys() | found.keys())
        return [
            line for name in names for line in difference(wanted.get(name), found.get(name), f"{path}.{name}")
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [line for at, (one, two) in pairs for line in difference(one, two, f"{path}[{at}]")]
    if wanted == found:
        return []
    return [f"{path}: {_short(wanted)} without a fault, {_short(found)} with it"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 160 else f"{text[:160]}…"
