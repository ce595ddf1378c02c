"""Where a worker may run: the user's placement joined with what devices and exclusive cores need."""

from __future__ import annotations

from typing import Any

from tidegate.api.compute import Accelerator
from tidegate.api.spec import InferenceServiceSpec
from tidegate.resources.names import CPU_POLICY_LABEL

# The label on which each vendor's own node labeller writes the product.
PRODUCT_LABELS = {"nvidia.com": "nvidia.com/gpu.product", "amd.com": "amd.com/gpu.product-name"}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def placement(spec: InferenceServiceSpec) -> dict[str, Any]:
    """The pod's nodeSelector, tolerations, affinity and classes, each only where there is one."""
    given = spec.placement
    parts = {
        "nodeSelector": dict(given.node_selector),
        "tolerations": [each.model_dump(by_alias=True, exclude_none=True) for each in given.tolerations],
        "affinity": _affinity(spec),
        "runtimeClassName": given.runtime_class_name,
        "priorityClassName": given.priority_class_name,
    }
    return {name: value for name, value in parts.items() if value}


def _affinity(spec: InferenceServiceSpec) -> dict[str, Any]:
    given = spec.placement.affinity.model_dump(mode="json", by_alias=True, exclude_none=True)
    node = _node_affinity(spec, given.pop("nodeAffinity", {}))
    return {**({"nodeAffinity": node} if node else {}), **given}


def _node_affinity(spec: InferenceServiceSpec, given: dict[str, Any]) -> dict[str, Any]:
    required = _product(spec.resources.accelerator)
    preferred = list(given.get(_PREFERRED, ()))
    static = _expression(CPU_POLICY_LABEL, ["static"])
    if spec.cpu_isolation == "Required":
        required = [*required, static]
    if spec.cpu_isolation == "Preferred":
        preferred.append({"weight": 100, "preference": {"matchExpressions": [static]}})
    terms = _joined(given.get(_REQUIRED, {}).get("nodeSelectorTerms", []), required)
    return {
        **({_REQUIRED: {"nodeSelectorTerms": terms}} if terms else {}),
        **({_PREFERRED: preferred} if preferred else {}),
    }


def _joined(terms: list[dict[str, Any]], required: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of the terms must hold, so what is required besides goes into each of them."""
    if not terms:
        return [{"matchExpressions": required}] if required else []
    return [
        {**term, "matchExpressions": [*term.get("matchExpressions", ()), *required]} if required else term
        for term in terms
    ]


def required_labels(spec: InferenceServiceSpec) -> dict[str, tuple[str, ...]]:
    """The node labels that a worker insists on, exclusive cores aside, and their allowed values."""
    selected = {name: (value,) for name, value in spec.placement.node_selector.items()}
    products = {each["key"]: tuple(each["values"]) for each in _product(spec.resources.accelerator)}
    return {**selected, **products}


def _product(accelerator: Accelerator | None) -> list[dict[str, Any]]:
    if accelerator is None or not accelerator.types:
        return []
    vendor = accelerator.resource.partition("/")[0]
    if vendor not in PRODUCT_LABELS:
        raise ValueError(f"spec.resources.accelerator.types: no product label is known for {vendor}")
    return [_expression(PRODUCT_LABELS[vendor], list(accelerator.types))]


def _expression(key: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": values}
