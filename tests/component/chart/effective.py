"""Until what was installed is in force: an API server learns of roles and CRDs by watches of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx

from tests.component.chart.audit import PROGRAMS, Json

GROUP = "tidegate.io"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Returns when the condition holds; AssertionError when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def allowed(admin: httpx.Client, user: str, attributes: Json) -> bool:
    """Whether the API server would let the user do that now."""
    spec = {"user": user, "resourceAttributes": attributes}
    answer = admin.post(_REVIEWS, json={"spec": spec}).raise_for_status().json()
    return bool(answer["status"]["allowed"])


def rights_hold(admin: httpx.Client, roles: list[Json], namespace: str) -> bool:
    """Whether the accounts of an installation may do what these roles say."""
    return all(allowed(admin, *asked) for role in roles for asked in _asked(role, namespace))


def discovered(admin: httpx.Client) -> bool:
    """Whether tidegate's kinds are served and clients find them: helm and kubectl ask for all groups."""
    groups = admin.get("/apis", headers=_AGGREGATED).raise_for_status().json()["items"]
    found = any(each["metadata"]["name"] == GROUP for each in groups)
    return found and admin.get(f"/apis/{GROUP}/v1alpha1/inferenceservices").status_code == 200


def undiscovered(admin: httpx.Client) -> bool:
    """Whether no client finds the group any more."""
    groups = admin.get("/apis", headers=_AGGREGATED).raise_for_status().json()["items"]
    return all(each["metadata"]["name"] != GROUP for each in groups)


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
