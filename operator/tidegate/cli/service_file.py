"""An InferenceService from a file, for ``tidegate simulate``, and the same with another setting."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from tidegate.api.v1alpha1 import InferenceService, parse

Document = dict[str, Any]


def read_document(path: Path) -> Document:
    """The one YAML document of a file. OSError, or ValueError that names the file."""
    try:
        documents = [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each is not None]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start + 1} is not UTF-8; is it a YAML file?") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise ValueError(f"{path}: has {len(documents)} documents and must have one, an InferenceService")
    return documents[0]


def service_of(document: Mapping[str, Any], source: str) -> InferenceService:
    """The service of a document, where it can be simulated; else ValueError that begins with ``source``."""
    try:
        return _simulable(document)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _simulable(document: Mapping[str, Any]) -> InferenceService:
    if document.get("kind") != "InferenceService":
        raise ValueError(f"kind: must be InferenceService, not {document.get('kind') or 'absent'}")
    if _scaling(document).get("mode") == "External":
        raise ValueError("spec.scaling.mode: is External, so others set the number; set Managed to simulate")
    service = parse({name: value for name, value in document.items() if name != "status"}, strict=True)
    if service.spec.suspend:
        raise ValueError("spec.suspend: is true, so nothing would run; set false to simulate")
    return service


def _scaling(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """It is looked at before the rest: who scales in mode External need not state what tidegate's own
    decision reads."""
    spec = document.get("spec")
    scaling = spec.get("scaling") if isinstance(spec, dict) else None
    return scaling if isinstance(scaling, dict) else {}


def with_field(document: Document, text: str) -> Document:
    """The document with one field of its spec set, from ``scaling.minReplicas=1``."""
    path, equals, value = text.partition("=")
    if not (path and equals):
        raise ValueError(f"--try: {text!r} is not FIELD=VALUE, such as scaling.minReplicas=1")
    changed = deepcopy(document)
    place = changed.setdefault("spec", {})
    *parents, name = path.removeprefix("spec.").split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ValueError(f"--try: {path}: {parent} has no fields")
    place[name] = _value(text, value)
    return changed


def _value(text: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ValueError(f"--try: {text!r}: the value is not YAML") from None
