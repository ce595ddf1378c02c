"""Where a worker may run: node selector, tolerations, and affinity for devices and exclusive cores."""

from __future__ import annotations

from typing import Any

from tidegate.api.compute import Accelerator
from tidegate.api.spec import InferenceServiceSpec
from tidegate.resources.names import CPU_POLICY_LABEL

# The label on which each vendor's own node labeller writes the product.
_PRODUCT_LABELS = {"nvidia.com": "nvidia.com/gpu.product", "amd.com": "amd.com/gpu.product-name"}


def placement(spec: InferenceServiceSpec) -> dict[str, Any]:
    """The pod's nodeSelector, tolerations and affinity, each only where there is one."""
    parts = {
        "nodeSelector": dict(spec.placement.node_selector),
        ("tolerations"): [
            each.model_dump(by_alias=True, exclude_none=True) for each in spec.placement.tolerations
        ],
        "affinity": _affinity(spec),
    }
    return {name: value for name, value in parts.items() if value}


def _affinity(spec: InferenceServiceSpec) -> dict[str, Any]:
    required = _product(spec.resources.accelerator)
    static = _expression(CPU_POLICY_LABEL, ["static"])
    node: dict[str, Any] = {}
    if spec.cpu_isolation == "Required":
        required = [*required, static]
    if spec.cpu_isolation == "Preferred":
        preference = {"weight": 100, "preference": {"matchExpressions": [static]}}
        node["preferredDuringSchedulingIgnoredDuringExecution"] = [preference]
    if required:
        terms = {"nodeSelectorTerms": [{"matchExpressions": required}]}
        node["requiredDuringSchedulingIgnoredDuringExecution"] = terms
    return {"nodeAffinity": node} if node else {}


def required_labels(spec: InferenceServiceSpec) -> dict[str, tuple[str, ...]]:
    """The node labels that a worker insists on, exclusive cores aside, and their allowed values."""
    selected = {name: (value,) for name, value in spec.placement.node_selector.items()}
    products = {each["key"]: tuple(each["values"]) for each in _product(spec.resources.accelerator)}
    return {**selected, **products}


def _product(accelerator: Accelerator | None) -> list[dict[str, Any]]:
    if accelerator is None or not accelerator.types:
        return []
    vendor = accelerator.resource.partition("/")[0]
    if vendor not in _PRODUCT_LABELS:
        raise ValueError(f"spec.resources.accelerator.types: no product label is known for {vendor}")
    return [_expression(_PRODUCT_LABELS[vendor], list(accelerator.types))]


def _expression(key: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": values}
