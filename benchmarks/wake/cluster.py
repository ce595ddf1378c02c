"""The cluster on which wakes are measured: brought up where it is down, with tidegate from its chart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.cluster import brought_up
from tests.e2e.conftest import gateway_pods, install, restart, tool_environment
from tests.e2e.kubectl import Kubectl
from tidegate.devcluster.layout import state_of

SYSTEM = "tidegate-system"


@contextmanager
def installed() -> Iterator[Kubectl]:
    """The cluster with tidegate; whatever was not there before is gone after the block."""
    with brought_up(("operator", "sim")):
        kubectl = Kubectl(tool_environment())
        os.environ["KUBECONFIG"] = kubectl.environment["KUBECONFIG"]  # where KubeClient looks
        with _release(kubectl):
            yield kubectl


@contextmanager
def _release(kubectl: Kubectl) -> Iterator[None]:
    was_installed = "tidegate" in kubectl.command("helm", "list", "-n", SYSTEM, "-q").split()
    install(kubectl)
    if was_installed:
        restart(kubectl)
    try:
        yield
    finally:
        if not was_installed:
            kubectl.command("helm", "uninstall", "tidegate", "-n", SYSTEM, "--wait", timeout=120)


def gateway_address(kubectl: Kubectl) -> str:
    """Where the one gateway's pod listens: this machine routes to the cluster's pods."""
    [pod] = gateway_pods(kubectl)
    return str(pod["status"]["podIP"])


def audit_log() -> Path:
    """The API server's audit log; SystemExit where this cluster has none that can be read here."""
    log = state_of(os.environ).audit_log
    if not log.exists():
        raise SystemExit("bench-wake counts requests in the API server's audit log: use the embedded cluster")
    return log
