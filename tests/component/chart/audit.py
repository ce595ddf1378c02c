"""What an account was granted, what it did, and what it was refused: roles against the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
Right = tuple[str, str, str]  # account, verb, group/resource

PROGRAMS = ("tidegate-operator", "tidegate-gateway")


def roles_of(rendered: str) -> list[Json]:
    """The roles and cluster roles among rendered manifests."""
    documents = [document for document in yaml.safe_load_all(rendered) if document]
    return [document for document in documents if document["kind"] in ("Role", "ClusterRole")]


def requests_of(audit_log: Path, *accounts: str) -> list[Json]:
    """What these accounts asked of the API server; an account is ``namespace:name``."""
    entries = [json.loads(line) for line in audit_log.read_text().splitlines()]
    users = {f"system:serviceaccount:{account}" for account in accounts}
    return [entry for entry in entries if entry["user"]["username"] in users]


def refused(requests: list[Json]) -> list[str]:
    """Those that were answered with 403."""
    return [
        f"{entry['user']['username']} {entry['verb']} {entry['requestURI']}"
        for entry in requests
        if entry.get("responseStatus", {}).get("code") == 403
    ]


def used(requests: list[Json]) -> set[Right]:
    """The rights that they made use of."""
    return {right for entry in requests if (right := _right(entry))}


def granted(roles: list[Json]) -> Iterator[Right]:
    """The rights in these roles, as far as they are operator's or gateway's."""
    for role in roles:
        account = role["metadata"]["name"].removesuffix("-services")
        if account not in PROGRAMS:
            continue
        for rule in role.get("rules") or ():
            yield from (
                (account, verb, f"{group}/{resource}")
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            )


def _right(entry: Json) -> Right | None:
    reference = entry.get("objectRef")
    if not reference:
        return None  # discovery
    resource = "/".join(filter(None, [reference["resource"], reference.get("subresource")]))
    account = entry["user"]["username"].rpartition(":")[2]
    return account, entry["verb"], f"{reference.get('apiGroup', '')}/{resource}"
