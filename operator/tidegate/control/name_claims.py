"""Names that an InferenceService claims and another one has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tidegate.control.served_names import names_of
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey

_FIELD = "spec.model.servedNames"


class Known(Protocol):
    """The InferenceServices that there are."""

    def holders(self, name: str) -> list[ServiceKey]:
        """Who serves this name, in any namespace."""
        ...

    def is_alive(self, key: ServiceKey) -> bool:
        """Whether there is such a service that is not being deleted."""
        ...


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

    def refusal(self, known: Known) -> str | None:
        """Why the write is refused: a name of the namespace is another service's already."""
        for name in self.names:
            if holder := self._holder(known, name):
                return _taken(_FIELD, name, f"is served by {holder}")
            if self._is_anothers(known, name):
                return _taken(_FIELD, name, f"is the name of {ServiceKey(self.key.namespace, name)}")
        holder = self._holder(known, self.key.name) if self.created else None
        return _taken("metadata.name", self.key.name, f"is served by {holder}") if holder else None

    def warnings(self, known: Known) -> list[str]:
        """Names that mean another service wherever no namespace is given with them."""
        found = []
        for name in self.names:
            if self._is_qualified(known, name):
                found.append(f"{_FIELD}: {name!r} means the InferenceService of that namespace and name")
            elif self._alive(known, name, elsewhere=True):
                own = f"{self.key.namespace}/{name}"
                found.append(
                    f"{_FIELD}: {name!r} is served in another namespace too; alone it means the oldest "
                    f"service, {own!r} always means this one"
                )
        return found

    def _holder(self, known: Known, name: str) -> ServiceKey | None:
        return next(iter(self._alive(known, name, elsewhere=False)), None)

    def _alive(self, known: Known, name: str, *, elsewhere: bool) -> list[ServiceKey]:
        """Others that serve the name, here or elsewhere; one that is being deleted has let go of it."""
        return [
            holder
            for holder in known.holders(name)
            if holder != self.key
            and (holder.namespace != self.key.namespace) is elsewhere
            and known.is_alive(holder)
        ]

    def _is_anothers(self, known: Known, name: str) -> bool:
        other = ServiceKey(self.key.namespace, name)
        return other != self.key and known.is_alive(other)

    def _is_qualified(self, known: Known, name: str) -> bool:
        try:
            other = ServiceKey.parse(name)
        except ValueError:
            return False
        return other != self.key and known.is_alive(other)


def _taken(field: str, name: str, why: str) -> str:
    return (
        f"{field}: {name!r} {why}, and a name belongs to one service of a namespace; "
        "choose another one, or take it from that service first"
    )
