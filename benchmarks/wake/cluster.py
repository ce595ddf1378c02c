"""The cluster on which wakes are measured: brought up where it is down, with tidegate from its chart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.conftest import TOOL, gateway_pods, install, restart, tool_environment
from tests.e2e.kubectl import Kubectl
from tidegate.devcluster.layout import state_of

SYSTEM = "tidegate-system"


@contextmanager
def installed() -> Iterator[Kubectl]:
    """The cluster with tidegate; whatever was not there before is gone after the block."""
    was_up = (
        subprocess.run([*TOOL, "status"], stdout=subprocess.DEVNULL, timeout=60, check=False).returncode == 0
    )
    try:
        _tool("up", timeout=3000)
        _tool("images", "operator", "sim", timeout=3000)
        kubectl = Kubectl(tool_environment())
        os.environ["KUBECONFIG"] = kubectl.environment["KUBECONFIG"]  # where KubeClient looks
        with _release(kubectl):
            yield kubectl
    finally:
        if not was_up:
            _tool("down", timeout=300)


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


def _tool(*arguments: str, timeout: float) -> None:
    """The development cluster's tool; SystemExit where it fails, its own words are on stderr."""
    done = subprocess.run([*TOOL, *arguments], stdout=sys.stderr, timeout=timeout, check=False)
    if done.returncode:
        raise SystemExit(f"tidegate.devcluster {' '.join(arguments)} ended with {done.returncode}")
