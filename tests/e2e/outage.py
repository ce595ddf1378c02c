"""What is taken away from a running installation, for the time of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.kubectl import Kubectl


@contextmanager
def operator_down(kubectl: Kubectl) -> Iterator[None]:
    """The cluster without an operator, and so without its webhooks, whose configurations stay."""
    scale = ("scale", "deployment/tidegate-operator", "-n", "tidegate-system")
    selector = ("-n", "tidegate-system", "-l", "app.kubernetes.io/component=operator")
    kubectl.run(*scale, "--replicas=0")
    try:
        kubectl.run("wait", "pod", *selector, "--for=delete", "--timeout=180s", timeout=200)
        yield
    finally:
        kubectl.run(*scale, "--replicas=2")
        kubectl.run("rollout", "status", "deployment/tidegate-operator", "-n", "tidegate-system", timeout=200)
