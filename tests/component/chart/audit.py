"""What an account was granted, what it used and what it was refused: roles against an audit log."""

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


def entries_of(audit_log: Path) -> list[Json]:
    """Every request that the API server answered, in order, those of a rotated log before the others."""
    rotated = sorted(audit_log.parent.glob(f"{audit_log.stem}-*{audit_log.suffix}"))
    return [json.loads(line) for file in (*rotated, audit_log) for line in _whole_lines(file.read_text())]


def _whole_lines(text: str) -> list[str]:
    """But the one that is being written."""
    return text[: text.rfind("\n") + 1].splitlines()


def requests_of(entries: list[Json], namespace: str) -> list[Json]:
    """What the accounts of an installation asked of the API server."""
    users = {f"system:serviceaccount:{namespace}:{program}" for program in PROGRAMS}
    return [entry for entry in entries if entry["user"].get("username") in users]  # none: not logged in


def refused(requests: list[Json]) -> list[str]:
    """Those that rights or an admission policy forbade. (A namespace that ends answers 403 as well.)"""
    return [_shown(entry) for entry in requests if _is_refused(entry)]


def used(requests: list[Json]) -> set[Right]:
    """The rights that they made use of."""
    return {right for entry in requests if (right := _right(entry))}


def used_elsewhere(entries: list[Json], namespace: str) -> set[Right]:
    """The rights that the accounts used elsewhere, where others (kubelets) asked whether they have them."""
    specs = [
        (entry.get("requestObject") or {}).get("spec") or {}
        for entry in entries
        if (entry.get("objectRef") or {}).get("resource") == "subjectaccessreviews"
        and ((entry.get("responseObject") or {}).get("status") or {}).get("allowed")
    ]
    prefix = f"system:serviceaccount:{namespace}:"
    return {_reviewed(spec) for spec in specs if spec.get("user", "").startswith(prefix)}


def granted(roles: list[Json]) -> Iterator[Right]:
    """The rights in these roles, as far as they are operator's or gateway's."""
    for role in roles:
        account = role["metadata"]["name"].removesuffix("-services")
        for rule in role.get("rules") or () if account in PROGRAMS else ():
            yield from (
                (account, verb, f"{group}/{resource}")
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            )


def _is_refused(entry: Json) -> bool:
    if (entry.get("annotations") or {}).get("authorization.k8s.io/decision") == "forbid":
        return True
    status = entry.get("responseStatus") or {}
    return status.get("code") == 403 and "ValidatingAdmissionPolicy" in status.get("message", "")


def _shown(entry: Json) -> str:
    message = (entry.get("responseStatus") or {}).get("message", "")
    moment = entry["requestReceivedTimestamp"]
    return f"{moment} {entry['user']['username']} {entry['verb']} {entry['requestURI']}: {message}"


def _right(entry: Json) -> Right | None:
    reference = entry.get("objectRef")
    if not reference:
        return None  # discovery
    resource = "/".join(filter(None, [reference["resource"], reference.get("subresource")]))
    account = entry["user"]["username"].rpartition(":")[2]
    return account, entry["verb"], f"{reference.get('apiGroup', '')}/{resource}"


def _reviewed(spec: Json) -> Right:
    asked = spec.get("resourceAttributes") or {}
    resource = "/".join(filter(None, [asked.get("resource"), asked.get("subresource")]))
    return spec["user"].rpartition(":")[2], asked.get("verb", ""), f"{asked.get('group', '')}/{resource}"
