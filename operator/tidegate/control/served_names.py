"""Which InferenceServices serve a name: kept with the cache, so that the question costs one look."""

from __future__ import annotations

from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey


class ServedNames:
    """Holders by served name."""

    def __init__(self) -> None:
        self._holders: dict[str, set[ServiceKey]] = {}

    def add(self, service: Json) -> None:
        """The names of an InferenceService, as the API server has it, are its own."""
        for name in names_of(service):
            self._holders.setdefault(name, set()).add(_key(service))

    def remove(self, service: Json) -> None:
        """An InferenceService in a form that was added is gone, or about to be added in another."""
        for name in names_of(service):
            holders = self._holders.get(name, set())
            holders.discard(_key(service))
            if not holders:
                self._holders.pop(name, None)

    def holders(self, name: str) -> list[ServiceKey]:
        """Who serves this name, in any namespace."""
        return sorted(self._holders.get(name, ()))


def names_of(service: Json) -> tuple[str, ...]:
    """The names by which requests ask for the model; the service's own where none is given.

    It reads objects that the schema has not seen yet: what is not text is no name.
    """
    model = (service.get("spec") or {}).get("model")
    given = model.get("servedNames") if isinstance(model, dict) else None
    names = tuple(name for name in given if isinstance(name, str)) if isinstance(given, list) else ()
    return names or (str(service["metadata"].get("name") or ""),)


def _key(service: Json) -> ServiceKey:
    return ServiceKey(service["metadata"]["namespace"], service["metadata"]["name"])
