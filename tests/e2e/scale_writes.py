"""Who wrote the number of workers, from the API server's audit log."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.component.chart.audit import entries_of
from tests.e2e.kubectl import Object
from tidegate.devcluster.layout import state_of

READS = ("get", "list", "watch")
AUTOSCALER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"


class ScaleWrites:
    """The writes of one service and of its worker Deployment."""

    def __init__(self, namespace: str, name: str) -> None:
        self._log = state_of(os.environ).audit_log
        if not self._log.exists():
            pytest.skip("this cluster's audit log cannot be read here")
        self._namespace = namespace
        self._names = {"inferenceservices": name, "deployments": f"{name}-worker"}

    def so_far(self) -> Counter[tuple[str, str]]:
        """How often each account has written which of them: (account, resource), refused ones included."""
        return Counter(
            (_account(each), _resource(each["objectRef"]))
            for each in self._requests()
            if each["verb"] not in READS
        )

    def looks(self) -> int:
        """How often the autoscalers' controller has looked at the scale."""
        return sum(1 for each in self._requests() if each["verb"] == "get" and _account(each) == "autoscaler")

    def _requests(self) -> list[Object]:
        return [
            each
            for each in entries_of(self._log)
            if (reference := each.get("objectRef") or {}).get("namespace") == self._namespace
            and self._names.get(reference.get("resource", "")) == reference.get("name")
        ]


def _account(entry: Object) -> str:
    user = str(entry["user"]["username"])
    return "autoscaler" if user == AUTOSCALER else user.rpartition(":")[2]


def _resource(reference: Object) -> str:
    return "/".join(filter(None, [reference["resource"], reference.get("subresource")]))
