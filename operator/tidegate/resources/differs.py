"""Whether an object that exists still says everything that its manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.domain.quantity import same_quantity

# What identifies an item of a list, the first that the item has; without one the list is compared in order.
_KEYS = ("uid", "mountPath", "name")
_QUANTITIES = ("requests", "limits", "sizeLimit")


def differences(desired: Any, observed: Any, path: str = "") -> list[str]:
    """The paths at which ``observed`` does not say what ``desired`` says; empty when it says all of it.

    What others have added is none of our business. Quantities are compared by size, keyed lists by
    key, and a field that is empty or false may be absent: the API server leaves such fields out.
    """
    if observed is None and not desired:
        return []
    if isinstance(desired, Mapping):
        return _in_mapping(desired, observed, path)
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        return _in_list(desired, observed, path)
    return [] if desired == observed or _same_size(desired, observed, path) else [path]


def _in_mapping(desired: Mapping[str, Any], observed: Any, path: str) -> list[str]:
    if not isinstance(observed, Mapping):
        return [path]
    found = (differences(value, observed.get(key), f"{path}.{key}") for key, value in desired.items())
    return [difference for differences_below in found for difference in differences_below]


def _in_list(desired: Sequence[Any], observed: Any, path: str) -> list[str]:
    if not isinstance(observed, list):
        return [path]
    key = _key_of(desired)
    if key is None:
        same_length = len(desired) == len(observed)
        pairs = list(zip(desired, observed, strict=False))
        return [path] if not same_length or any(differences(*pair, path) for pair in pairs) else []
    by_key = {item.get(key): item for item in observed if isinstance(item, Mapping)}
    found = (differences(item, by_key.get(item[key]), f"{path}[{item[key]}]") for item in desired)
    return [difference for differences_below in found for difference in differences_below]


def _key_of(items: Sequence[Any]) -> str | None:
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    return next((key for key in _KEYS if all(key in item for item in items)), None)


def _same_size(desired: Any, observed: Any, path: str) -> bool:
    return any(name in path.split(".")[-2:] for name in _QUANTITIES) and same_quantity(desired, observed)
