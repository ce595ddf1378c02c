"""Whether what was installed is in force: an API server learns of roles by watches of its own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from tests.component.chart.audit import PROGRAMS, Json

_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def allowed(admin: httpx.Client, user: str, attributes: Json) -> bool:
    """Whether the API server would let the user do that now."""
    spec = {"user": user, "resourceAttributes": attributes}
    answer = admin.post(_REVIEWS, json={"spec": spec}).raise_for_status().json()
    return bool(answer["status"]["allowed"])


def rights_hold(admin: httpx.Client, roles: list[Json], namespace: str) -> bool:
    """Whether the accounts of an installation may do what these roles say."""
    return all(allowed(admin, *asked) for role in roles for asked in _asked(role, namespace))


def _asked(role: Json, namespace: str) -> Iterator[tuple[str, Json]]:
    """For each resource of each rule one user, and one thing that he may do."""
    account = role["metadata"]["name"].removesuffix("-services")
    where = role["metadata"].get("namespace", namespace)
    for rule in role.get("rules") or () if account in PROGRAMS else ():
        for each in rule.get("resources", ()):
            resource, _, subresource = each.partition("/")
            attributes = {
                "verb": rule["verbs"][0],
                "group": rule["apiGroups"][0],
                "resource": resource,
                "subresource": subresource,
                "name": (rule.get("resourceNames") or [""])[0],
                "namespace": where,
            }
            yield f"system:serviceaccount:{namespace}:{account}", attributes
