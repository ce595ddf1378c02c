"""The CustomResourceDefinition, rendered from the models; nothing in crds/ is written by hand."""

from __future__ import annotations

from typing import Any

import yaml

from tidegate.api.columns import COLUMNS
from tidegate.api.identity import GROUP, KIND, PLURAL, VERSION
from tidegate.api.schema import structural_schema
from tidegate.api.v1alpha1 import InferenceService

HEADER = "# Generated from the models in operator/tidegate/api; `make manifests` writes it.\n"


def inference_service_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of InferenceService, as an object for the API server."""
    names = {
        "kind": KIND,
        "listKind": f"{KIND}List",
        "plural": PLURAL,
        "singular": KIND.lower(),
        "shortNames": ["infsvc"],
        "categories": ["inference"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [_version()]},
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root_schema()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [_column(*column) for column in COLUMNS],
    }


def _root_schema() -> dict[str, Any]:
    schema = structural_schema(InferenceService)
    plain = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    schema["properties"] = {**schema["properties"], **plain}
    schema["required"] = ["spec"]
    return schema


def _column(name: str, kind: str, path: str, priority: int, description: str) -> dict[str, Any]:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": priority} if priority else column


def rendered() -> dict[str, str]:
    """File name -> text of every CRD."""
    text = yaml.safe_dump(inference_service_crd(), sort_keys=False, width=110, allow_unicode=True)
    return {f"{GROUP}_{PLURAL}.yaml": HEADER + text}
