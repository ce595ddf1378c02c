"""/v1/models: the names by which a client can ask, here and now.

A service that sleeps is listed: the request that asks for it wakes it. A suspended one is not, since a client
that chose it would get nothing but 503; asked for by name it says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain import api_errors as errors
from tidegate.gateway import response

if TYPE_CHECKING:
    from tidegate.gateway.service import Service
    from tidegate.gateway.traffic import Traffic


def all_models(traffic: Traffic, service: Service | None, namespace: str) -> tuple[int, bytes]:
    """Status and body of the list: of one service where Host or path name it, of a namespace, or of all."""
    every = traffic.fleet.services.values() if service is None else (service,)
    shown = [s for s in every if not s.config.suspended and namespace in ("", s.key.namespace)]
    cards = [
        _card(name, one) for one in shown for name in _names(traffic, one, namespace, service is not None)
    ]
    return 200, response.to_json({"object": "list", "data": cards})


def one_model(traffic: Traffic, name: str, service: Service | None, namespace: str) -> tuple[int, bytes]:
    """Status and body for one name, looked up as the body of a request to the same place would be."""
    if service is None:
        found = traffic.by_model(name, namespace)
    else:
        found = service if name in service.config.served_names or name in service.aliases else None
    if found is None or found.config.suspended:
        error = errors.model_not_found(name) if found is None else errors.suspended(found.key)
        return error.status, error.body()
    return 200, response.to_json(_card(name, found))


def _names(traffic: Traffic, service: Service, namespace: str, alone: bool) -> list[str]:
    """The names that mean this service where the list was asked for: served names as they stand, else with
    the namespace, else the resource's own, which nobody else can have. None of them twice."""
    names = service.config.served_names
    if alone:
        return list(names)
    own = service.key.namespace
    choices = ((name, f"{own}/{name}", str(service.key)) for name in names)
    return list(
        dict.fromkeys(
            next((c for c in choice if traffic.by_model(c, namespace) is service), choice[-1])
            for choice in choices
        )
    )


def _card(name: str, service: Service) -> dict[str, object]:
    return {
        "id": name,
        "object": "model",
        "created": int(service.config.created),
        "owned_by": "tidegate",
        "root": str(service.key),
    }
