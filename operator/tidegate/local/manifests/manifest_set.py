"""All manifests together: what holds between them, and what each service is warned of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.control.served_names import ServedNames
from tidegate.control.validation import Grounds, judge
from tidegate.domain.fitting import NodeSize
from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.local.manifests.fields import field_warnings
from tidegate.local.manifests.manifest import Contents, Secret


@dataclass(frozen=True, slots=True)
class Manifest:
    """One service as it is written. ``source``: its file."""

    document: Json
    source: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What manifests are judged by; ``sizes``: this machine's, none: not known."""

    default_max_depth: int = DEFAULT_MAX_DEPTH
    sizes: tuple[NodeSize, ...] = ()


@dataclass
class ManifestSet:
    """What has been added holds together."""

    machine: Machine = field(default_factory=Machine)
    services: dict[ServiceKey, Manifest] = field(default_factory=dict)
    secrets: dict[ServiceKey, Secret] = field(default_factory=dict)
    _names: ServedNames = field(default_factory=ServedNames)

    def add(self, source: str, contents: Contents) -> None:
        """One file more, whole or not at all: ValueError names what it has in common with another one."""
        for key in contents.secrets.keys() & self.secrets.keys():
            raise ValueError(f"Secret {key} is in another file too")
        found: dict[ServiceKey, Manifest] = {}
        try:
            for key, (place, document) in contents.services.items():
                found[key] = self._judged(source, place, key, document)
                self.services[key] = found[key]
                self._names.add(document)
        except ValueError:
            for key, manifest in found.items():
                self._names.remove(manifest.document)
                del self.services[key]
            raise
        self.secrets |= contents.secrets

    def _judged(self, source: str, place: str, key: ServiceKey, document: Json) -> Manifest:
        if key in self.services:
            raise ValueError(f"{place}: {key} is in {self.services[key].source} too")
        grounds = Grounds(self, self.machine.default_max_depth, node_cache=True, sizes=self.machine.sizes)
        verdict = judge(grounds, dict(document), None)
        if verdict.refusal:
            raise ValueError(f"{place}: {verdict.refusal}")
        return Manifest(document, source, (*verdict.warnings, *field_warnings(document)))

    def secrets_in(self, namespace: str) -> Mapping[str, Secret]:
        """By name."""
        return {key.name: values for key, values in self.secrets.items() if key.namespace == namespace}

    # -- see Known

    def holders(self, name: str) -> list[ServiceKey]:
        """Who serves this name, in any namespace."""
        return self._names.holders(name)

    def is_alive(self, key: ServiceKey) -> bool:
        """Whether there is such a service."""
        return key in self.services


def together(machine: Machine, files: Iterable[tuple[str, Contents]]) -> ManifestSet:
    """All of these. ValueError names the file."""
    found = ManifestSet(machine)
    for source, contents in files:
        try:
            found.add(source, contents)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
    return found
