"""The operator's replica that acts is lost: the other one goes on, and tells who it is."""

from __future__ import annotations

import time

import pytest

from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.services import Services, simulated

SYSTEM = ("-n", "tidegate-system")


def leader(kubectl: Kubectl) -> str:
    """The pod that holds the Lease, empty where nobody does."""
    holder = kubectl.get("lease", "tidegate-operator", *SYSTEM)["spec"].get("holderIdentity") or ""
    return str(holder).rpartition("_")[0]


@pytest.mark.parametrize("how", ["--wait=false", "--force"])
def test_another_replica_acts_when_the_leaders_pod_is_deleted(
    kubectl: Kubectl, services: Services, how: str
) -> None:
    eventually(lambda: leader(kubectl) != "", "a replica leads", seconds=120)
    first = leader(kubectl)
    place = ("deployment/tidegate-operator", *SYSTEM, "--timeout=180s")
    try:
        began = time.monotonic()
        kubectl.run("delete", "pod", first, *SYSTEM, how)
        services.apply(simulated("after", services.namespace))
        services.wait_phase("after", "Idle", seconds=120)
        print(f"delete {how}: {time.monotonic() - began:.1f} s until a new service is served")
        assert leader(kubectl) not in ("", first)
    finally:
        kubectl.run("rollout", "status", *place, timeout=200)
