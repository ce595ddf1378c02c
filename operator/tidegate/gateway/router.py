"""Which service a request means: by its path, by its Host, or by the model that its body names."""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from tidegate.domain.service import ServiceConfig, ServiceKey

_CACHE: Final = 4096  # Host values remembered; a client can invent any number of them


class Routable(Protocol):
    """A service as the router sees it."""

    key: ServiceKey

    @property
    def config(self) -> ServiceConfig:
        """Its spec, for the names that it serves."""
        ...


S = TypeVar("S", bound=Routable)


# The service (None: only the body can tell), the target as the worker shall see it, the name of a service
# that the path means and that does not exist, and the namespace in which models are looked up (empty: any).
Route: TypeAlias = tuple[S | None, bytes, str | None, str]

_ENGINES_OWN = frozenset({b"inference"})  # vLLM has /inference/v1/generate: no namespace unless there is one


class Router(Generic[S]):
    """The table of names. Changes are rare and cost what they must; a lookup is one or two dictionaries."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[bytes, bytes], S] = {}  # (namespace, name)
        self._qualified: dict[str, list[S]] = {}  # namespace/name and namespace/served name
        self._bare: dict[str, list[S]] = {}
        self._namespaces: dict[bytes, int] = {}  # how many services each has
        self._hosts: dict[bytes, S | None] = {}

    def add(self, service: S) -> None:
        """Takes up a service, or its new names (remove it first)."""
        key, config = service.key, service.config
        namespace = key.namespace.encode()
        self._by_key[(namespace, key.name.encode())] = service
        self._namespaces[namespace] = self._namespaces.get(namespace, 0) + 1
        self._hosts.clear()
        self._insert(self._qualified, str(key), service)
        for name in config.served_names:
            self._insert(self._bare, name, service)
            if name != key.name:
                self._insert(self._qualified, f"{key.namespace}/{name}", service)

    def remove(self, service: S) -> None:
        """Forgets a service."""
        namespace = service.key.namespace.encode()
        if self._by_key.pop((namespace, service.key.name.encode()), None) is not None:
            self._namespaces[namespace] -= 1
            if not self._namespaces[namespace]:
                del self._namespaces[namespace]
        self._hosts.clear()
        for table in (self._qualified, self._bare):
            for name in [name for name, holders in table.items() if service in holders]:
                table[name].remove(service)
                if not table[name]:
                    del table[name]

    @staticmethod
    def _insert(table: dict[str, list[S]], name: str, service: S) -> None:
        holders = table.setdefault(name, [])
        if service not in holders:
            holders.append(service)
            holders.sort(key=lambda s: (str(s.key) != name, s.config.created, s.key))

    def by_model(self, model: str) -> S | None:
        """The service that a body's ``model`` means; the oldest holder of a bare name.

        ``namespace/name`` comes first: nobody can take it by serving a name that looks like it.
        """
        holders = self._qualified.get(model) or self._bare.get(model)
        return holders[0] if holders else None

    def in_namespace(self, namespace: str, model: str) -> S | None:
        """The service of that namespace that ``model`` means: a bare name is looked up in it alone."""
        if model.startswith(f"{namespace}/") and (holders := self._qualified.get(model)):
            return holders[0]
        holders = self._qualified.get(f"{namespace}/{model}")
        return holders[0] if holders else None

    def by_address(self, host: bytes, target: bytes) -> Route[S]:
        """What the request line and the Host say; the target as the worker shall see it."""
        if not target.startswith(b"/v1/"):
            parts = target.split(b"/", 3)
            if len(parts) == 4:
                found = self._by_key.get((parts[1], parts[2]))
                if found is not None and (parts[2] != b"v1" or parts[3].startswith(b"v1/")):
                    return found, b"/" + parts[3], None, ""
                if self._is_namespace(parts, host):
                    return None, b"/v1/" + parts[3], None, parts[1].decode("latin-1")
        service = self.by_host(host)
        if service is None and not target.startswith(b"/v1/"):
            return None, target, _missing(target), ""
        return service, target, None, ""

    def _is_namespace(self, parts: list[bytes], host: bytes) -> bool:
        """``/namespace/v1/…``; one that nobody knows is one too, so that a typing error is told as such."""
        if parts[2] != b"v1" or not parts[1]:
            return False
        return self.by_host(host) is None and (parts[1] in self._namespaces or parts[1] not in _ENGINES_OWN)

    def by_host(self, host: bytes) -> S | None:
        """The service that ``<name>.<namespace>…`` names."""
        try:
            return self._hosts[host]
        except KeyError:
            labels = host.lower().partition(b":")[0].split(b".", 2)
            found = self._by_key.get((labels[1], labels[0])) if len(labels) > 1 else None
            if len(self._hosts) >= _CACHE:
                self._hosts.clear()
            self._hosts[host] = found
            return found


def workers_own(target: bytes) -> bool:
    """True for the worker's /metrics, however it is written: the workers' numbers are not for clients."""
    path = target.partition(b"?")[0]
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path == b"/metrics" or path.startswith(b"/metrics/")


def _missing(target: bytes) -> str | None:
    """``/namespace/name/v1/…`` of a service that does not exist."""
    parts = target.split(b"/", 4)
    if len(parts) == 5 and parts[3] == b"v1":
        return f"{parts[1].decode('latin-1')}/{parts[2].decode('latin-1')}"
    return None
