"""What one manifest says: InferenceServices, and the Secrets that they name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidegate.api.identity import API_VERSION, KIND
from tidegate.api.v1alpha1 import parse
from tidegate.domain.loose import Json, mapping
from tidegate.domain.service import ServiceKey
from tidegate.local.manifests.documents import documents

DEFAULT_NAMESPACE: Final = "default"
Secret = Mapping[str, str]
Defaults = Callable[[Json], Json]

# What an API server adds to an object that it gives back: a manifest may be ``kubectl get -o yaml``.
_SERVERS: Final = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "ownerReferences",
        "finalizers",
        "selfLink",
    }
)
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # a namespace is a folder's name here


@dataclass(frozen=True, slots=True)
class Contents:
    """The objects of one file. ``services``: by key, each with the place in the file, and without what an API
    server would have added. ``secrets``: by namespace and name; key to text.
    ``blank``: there is no document at all, not even an empty List."""

    services: Mapping[ServiceKey, tuple[str, Json]]
    secrets: Mapping[ServiceKey, Secret]
    blank: bool = False


def read_contents(text: str, defaults: Defaults = lambda document: document) -> Contents:
    """What a text of YAML documents says; ``defaults`` fills in what a service leaves open. ValueError names
    document and field."""
    services: dict[ServiceKey, tuple[str, Json]] = {}
    secrets: dict[ServiceKey, Secret] = {}
    written = documents(text)
    for place, document in _objects(written):
        try:
            kind, key = _kind(document), _key(document)
            if key in (services if kind == KIND else secrets):
                raise ValueError(f"{kind} {key} is there twice")
            if kind == KIND:
                services[key] = (place, _service(document, key, defaults))
            else:
                secrets[key] = _secret(document)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    return Contents(services, secrets, blank=all(document is None for document in written))


def _objects(written: list[Any]) -> Iterator[tuple[str, Any]]:
    """Each object and where it is; a List, as kubectl writes it, is its items."""
    for number, document in enumerate(written, 1):
        place = f"document {number}"
        items = mapping(document).get("items")
        if mapping(document).get("kind") == "List" and isinstance(items, list):
            yield from ((f"{place}, item {index}", item) for index, item in enumerate(items, 1))
        elif document is not None:
            yield place, document


def _kind(document: Any) -> str:
    if not isinstance(document, Mapping) or not document.get("kind"):
        raise ValueError(f"it is no object with a kind; what is read here is {KIND} and Secret")
    kind = str(document["kind"])
    if kind not in (KIND, "Secret"):
        raise ValueError(
            f"kind: {kind} means nothing without a cluster; what is read here is {KIND} and Secret"
        )
    wanted = API_VERSION if kind == KIND else "v1"
    if document.get("apiVersion") != wanted:
        raise ValueError(f"apiVersion: must be {wanted} for a {kind} (got {document.get('apiVersion')!r})")
    return kind


def _key(document: Mapping[str, Any]) -> ServiceKey:
    metadata = mapping(document.get("metadata"))
    namespace, name = metadata.get("namespace") or DEFAULT_NAMESPACE, metadata.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("metadata.name: must be set")
    if not isinstance(namespace, str) or not _LABEL.fullmatch(namespace):
        raise ValueError(
            f"metadata.namespace: must be of lower-case letters, digits and -, at most 63 (got {namespace!r})"
        )
    return ServiceKey(namespace, name)


def _service(document: Mapping[str, Any], key: ServiceKey, defaults: Defaults) -> Json:
    metadata = {name: value for name, value in document["metadata"].items() if name not in _SERVERS}
    given = {name: value for name, value in document.items() if name != "status"}
    found = defaults({**given, "metadata": metadata | {"namespace": key.namespace}})
    parse(found, strict=True)
    return found


def _secret(document: Mapping[str, Any]) -> Secret:
    plain, encoded = document.get("stringData") or {}, document.get("data") or {}
    for field, values in (("stringData", plain), ("data", encoded)):
        if not isinstance(values, Mapping):
            raise ValueError(f"{field}: must be a map from keys to texts")
        for name, value in values.items():
            if not isinstance(value, str):
                raise ValueError(f"{field}[{name}]: must be a text; put it in quotes")
    return {name: _decoded(name, value) for name, value in encoded.items()} | dict(plain)


def _decoded(name: str, value: str) -> str:
    """A value is never repeated in a message: it is a secret."""
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError(
            f"data[{name}]: must be base64 of a text; a plain text belongs in stringData"
        ) from None
