"""At the end of a whole run: every right that the chart grants was used, and nothing was refused."""

from __future__ import annotations

import os

import pytest

from tests.component.chart.audit import (
    PROGRAMS,
    Json,
    entries_of,
    granted,
    refused,
    requests_of,
    used,
    used_elsewhere,
)
from tests.e2e.kubectl import Kubectl
from tidegate.devcluster.layout import state_of

SYSTEM = "tidegate-system"
WHOLE_RUN = 6  # modules of tests


def without_rights(entries: list[Json]) -> dict[str, list[tuple[str, str]]]:
    """When each program had no rights, for an uninstallation took them away while it still ran: from, to."""
    spans: dict[str, list[tuple[str, str]]] = {program: [] for program in PROGRAMS}
    for entry in entries:
        reference = entry.get("objectRef") or {}
        program, moment = reference.get("name"), entry["requestReceivedTimestamp"]
        if reference.get("resource") not in ("rolebindings", "clusterrolebindings") or program not in spans:
            continue
        if entry["verb"] == "delete":
            spans[program].append((moment, "9"))
        elif entry["verb"] == "create":
            spans[program] = [(begin, min(end, moment)) for begin, end in spans[program]]
    return spans


def with_rights(requests: list[Json], spans: dict[str, list[tuple[str, str]]]) -> list[Json]:
    """The requests that were made while the program had its rights."""
    return [
        entry
        for entry in requests
        if not any(
            begin <= entry["requestReceivedTimestamp"] <= end
            for begin, end in spans[entry["user"]["username"].rpartition(":")[2]]
        )
    ]


def test_every_right_was_used_and_nothing_was_refused(
    kubectl: Kubectl, request: pytest.FixtureRequest, session_began: str
) -> None:
    log = state_of(os.environ).audit_log
    if not log.exists():
        pytest.skip("this cluster's audit log cannot be read here")
    if len({item.path for item in request.session.items}) < WHOLE_RUN:
        pytest.skip("rights are judged at the end of a whole run")
    entries = [entry for entry in entries_of(log) if entry["requestReceivedTimestamp"] >= session_began]
    requests = requests_of(entries, SYSTEM)
    assert refused(with_rights(requests, without_rights(entries))) == []
    roles = kubectl.get("roles,clusterroles", "-n", SYSTEM, "-l", "app.kubernetes.io/name=tidegate")["items"]
    unused = set(granted(roles)) - used(requests) - used_elsewhere(entries, SYSTEM)
    print(f"{len(set(granted(roles)))} rights, {len(requests)} requests, unused: {sorted(unused)}")
    assert unused == set()
