"""What may stand in a field, guessed from its schema; and what no schema tells."""

from __future__ import annotations

import copy
import re
from typing import Any

from tests.mutations.fields import ENTRY_KEY, Json

LEAST: Json = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}}

# Texts of the kinds that a pattern may want; those that fit are tried.
TEXTS = (
    "sample",
    "example.org/sample",
    "/sample/path",
    "sample/path",
    "7",
    "0.75",
    "2.5",
    "SAMPLE",
    "hf://sample/model",
    "Asia/Ho_Chi_Minh",
    "UTC",
    "0 9 * * 1-5",
    "30 18 * * *",
    "USD",
    "2030-01-01T00:00:00Z",
    "512Mi",
    "nvidia.com/gpu",
)
SIZES = ("512Mi", 1 << 28, 2, "2")

_CLAIM = {"pod": {"volumes": [{"name": "sample"}]}}
_SCRATCH = {"pod": {"volumes": [{"name": "sample", "emptyDir": {}}]}}
_MOUNTED = {
    "pod": {
        "volumes": [{"name": "sample", "emptyDir": {}}, {"name": "other", "emptyDir": {}}],
        "volumeMounts": [{"name": "other", "mountPath": "/data"}],
    }
}
_GPU = {
    "resources": {"cpu": 1, "memory": "1Gi", "accelerator": {"resource": "nvidia.com/gpu", "count": 2}},
    "engine": {"image": "sample:1"},
}
_SCHEDULE = {"cron": "0 8 * * *", "timeZone": "UTC", "forSeconds": 3600, "minReplicas": 2}
_NODE = "spec.placement.affinity.nodeAffinity"
_WITH_SELECTOR = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}

# Where a field means something only beside others: the spec around it, by the longest beginning.
SURROUNDINGS: dict[str, Json] = {
    "spec.replicas": {"scaling": {"mode": "External"}, "replicas": 1},
    "spec.engine.env[].value": {"engine": {"env": [{"name": "SAMPLE", "value": "1"}]}},
    "spec.engine.env[].valueFrom": {"engine": {"env": [{"name": "SAMPLE"}]}},
    "spec.resources.accelerator": _GPU,
    "spec.engine.sleep": {
        "resources": {"cpu": 1, "memory": "1Gi", "accelerator": {"resource": "nvidia.com/gpu", "count": 1}},
        "engine": {"image": "sample:1", "sleep": {"afterSeconds": 60}},
        "scaling": {"minReplicas": 1},
    },
    "spec.cache.node": {"cache": {"sizeLimit": "1Gi"}},
    "spec.pod.volumes[].persistentVolumeClaim": _CLAIM,
    "spec.pod.volumes[].configMap": _CLAIM,
    "spec.pod.volumes[].secret": _CLAIM,
    "spec.pod.volumes[].hostPath": _SCRATCH,
    "spec.pod.volumeMounts": _MOUNTED,
    "spec.scaling.metric.queueDelay": {
        "scaling": {"metric": {"type": "QueueDelay", "queueDelay": {"targetMilliseconds": 500}}}
    },
    "spec.scaling.metric.requestCount": {
        "scaling": {"metric": {"type": "RequestCount", "requestCount": {"perReplica": 10}}}
    },
    "spec.scaling.schedules[]": {"scaling": {"maxReplicas": 3, "schedules": [_SCHEDULE]}},
}

# These surroundings want the very field that is changed; before and after it is another one in its place.
_OTHERWISE: dict[str, Json] = {
    "spec.engine.env[].valueFrom": {"engine": {"env": [{"name": "SAMPLE", "value": "1"}]}},
    "spec.pod.volumes[]": _SCRATCH,
    "spec.cache.node": {"cache": {"claim": "sample"}},
}

# Whole values that no schema tells: where one of several fields must be there, or a rule knows more.
WHOLE: dict[str, tuple[Any, ...]] = {
    "spec.model.uri": ("s3://bucket/prefix", "pvc://claim/path", "file:///sample", "oci://example.org/a:1"),
    "spec.scaling.schedules[]": ({**_SCHEDULE, "forSeconds": 7200},),
    "spec.scaling.schedules[].cron": ("30 18 * * 1-5",),
    "spec.scaling.schedules[].timeZone": ("Asia/Ho_Chi_Minh",),
    "spec.slo": ({"execP50Seconds": "3"},),
    "spec.cache": ({"claim": "sample"},),
    "spec.resources": ({"cpu": 2, "memory": "2Gi"},),
    "spec.engine.env[]": ({"name": "SAMPLE", "value": "1"},),
    "spec.pod.volumes[]": ({"name": "sample", "emptyDir": {}},),
    "spec.placement.tolerations[].operator": ("Exists", "Equal"),
    "spec.placement.tolerations[]": ({"key": "sample", "effect": "NoExecute"},),
    f"{_NODE}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[]": (
        {"matchExpressions": [{"key": "sample", "operator": "In", "values": ["7"]}]},
    ),
    f"{_NODE}.preferredDuringSchedulingIgnoredDuringExecution[].preference": (
        {"matchExpressions": [{"key": "sample", "operator": "In", "values": ["7"]}]},
    ),
    **{
        f"spec.placement.affinity.{kind}.{mode}": (whole,)
        for kind in ("podAffinity", "podAntiAffinity")
        for mode, whole in (
            ("requiredDuringSchedulingIgnoredDuringExecution[]", _WITH_SELECTOR),
            ("preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm", _WITH_SELECTOR),
        )
    },
}
ENDINGS: dict[str, tuple[Any, ...]] = {
    ".matchExpressions[]": ({"key": "sample", "operator": "In", "values": ["7"]},),
}

# Nothing may ever stand here, and the refusal says why.
NEVER = ("spec.pod.volumes[].hostPath",)


def surroundings(name: str) -> Json:
    """The spec in which the field of this name is changed."""
    found = max((key for key in SURROUNDINGS if name.startswith(key)), key=len, default="")
    return {**copy.deepcopy(LEAST), **copy.deepcopy(SURROUNDINGS.get(found, {}))}


def home(name: str) -> Json:
    """The spec from which a change of this field sets out, and to which it goes back."""
    other = next((spec for key, spec in _OTHERWISE.items() if name.startswith(key)), None)
    return surroundings(name) if other is None else {**copy.deepcopy(LEAST), **copy.deepcopy(other)}


def legal(name: str, schema: Json) -> list[Any]:
    """Values that might be legal; at least one of them should be."""
    told = [value for ending, values in ENDINGS.items() if name.endswith(ending) for value in values]
    return [*WHOLE.get(name, ()), *told, *_guessed(name, schema)]


def example(name: str, schema: Json) -> Any:
    """The first of them."""
    return copy.deepcopy(next(iter(legal(name, schema)), None))


def _guessed(name: str, schema: Json) -> list[Any]:
    if told := schema.get("enum") or (schema.get("x-kubernetes-int-or-string") and SIZES):
        return list(told)
    match schema["type"]:
        case "boolean":
            return [True, False]
        case "integer":
            least, most = schema.get("minimum", 0), schema.get("maximum", 1000)
            return [min(most, least + 1), least, most]
        case "string":
            return [text for text in TEXTS if _fits(text, schema)][:3]
        case "array":
            return [[example(f"{name}[]", schema["items"])]]
        case _:
            return [_object(name, schema)]


def _fits(text: str, schema: Json) -> bool:
    length = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))
    return length and all(re.search(pattern, text) for pattern in _patterns(schema))


def _patterns(schema: Json) -> list[str]:
    """Of the schema, and of its rules that begin with one."""
    rules = [each["rule"] for each in schema.get("x-kubernetes-validations", ())]
    told = [found[1] for text in rules if (found := re.match(r"self\.matches\(r'([^']*)'\)", text))]
    return [schema.get("pattern", ""), *told]


def _object(name: str, schema: Json) -> Json:
    """With what it must have; a map with one entry."""
    if isinstance(schema.get("additionalProperties"), dict):
        return {ENTRY_KEY: example(f"{name}{{}}", schema["additionalProperties"])}
    properties = schema.get("properties", {})
    return {each: example(f"{name}.{each}", properties[each]) for each in schema.get("required", ())}
