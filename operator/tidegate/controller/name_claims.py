"""Names that an InferenceService claims and another one has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.control.served_names import names_of
from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind, ObjectCache

Json = dict[str, Any]

_FIELD = "spec.model.servedNames"


@dataclass(frozen=True)
class Claims:
    """The names that a write claims for ``key``; those that it had before are no claim, so that an old
    conflict never stands in the way of another change."""

    key: ServiceKey
    names: tuple[str, ...]
    created: bool  # its own name is a claim as well

    @classmethod
    def of(cls, key: ServiceKey, new: Json, old: Json | None) -> Claims:
        """What ``new`` claims that ``old`` did not."""
        had = () if old is None else names_of(old)
        return cls(key, tuple(name for name in names_of(new) if name not in had), old is None)

    def refusal(self, cache: ObjectCache) -> str | None:
        """Why the write is refused: a name of the namespace is another service's already."""
        for name in self.names:
            if holder := self._holder(cache, name):
                return _taken(_FIELD, name, f"is served by {holder}")
            if self._is_anothers(cache, name):
                return _taken(_FIELD, name, f"is the name of {ServiceKey(self.key.namespace, name)}")
        holder = self._holder(cache, self.key.name) if self.created else None
        return _taken("metadata.name", self.key.name, f"is served by {holder}") if holder else None

    def warnings(self, cache: ObjectCache) -> list[str]:
        """Names that mean another service wherever no namespace is given with them."""
        found = []
        for name in self.names:
            if self._is_qualified(cache, name):
                found.append(f"{_FIELD}: {name!r} means the InferenceService of that namespace and name")
            elif self._alive(cache, name, elsewhere=True):
                own = f"{self.key.namespace}/{name}"
                found.append(
                    f"{_FIELD}: {name!r} is served in another namespace too; alone it means the oldest "
                    f"service, {own!r} always means this one"
                )
        return found

    def _holder(self, cache: ObjectCache, name: str) -> ServiceKey | None:
        return next(iter(self._alive(cache, name, elsewhere=False)), None)

    def _alive(self, cache: ObjectCache, name: str, *, elsewhere: bool) -> list[ServiceKey]:
        """Others that serve the name, here or elsewhere; one that is being deleted has let go of it."""
        return [
            holder
            for holder in cache.names.holders(name)
            if holder != self.key
            and (holder.namespace != self.key.namespace) is elsewhere
            and _is_alive(cache, holder)
        ]

    def _is_anothers(self, cache: ObjectCache, name: str) -> bool:
        other = ServiceKey(self.key.namespace, name)
        return other != self.key and _is_alive(cache, other)

    def _is_qualified(self, cache: ObjectCache, name: str) -> bool:
        try:
            other = ServiceKey.parse(name)
        except ValueError:
            return False
        return other != self.key and _is_alive(cache, other)


def _is_alive(cache: ObjectCache, key: ServiceKey) -> bool:
    raw = cache.get(Kind.INFERENCE_SERVICE, key.namespace, key.name)
    return raw is not None and "deletionTimestamp" not in raw["metadata"]


def _taken(field: str, name: str, why: str) -> str:
    return (
        f"{field}: {name!r} {why}, and a name belongs to one service of a namespace; "
        "choose another one, or take it from that service first"
    )
