"""``tidegate explain`` on a real cluster: what it foretells is what the operator then does."""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.services import Services, simulated
from tests.e2e.test_wake_and_sleep import chat
from tidegate.domain.timestamps import from_timestamp

IDLE_SECONDS = 30


def explained(kubectl: Kubectl, namespace: str, name: str, *options: str) -> dict[str, Any]:
    """The explanation as programs get it."""
    command = (sys.executable, "-m", "tidegate.cli", "explain", name, "-n", namespace, "-o", "json", *options)
    found: dict[str, Any] = json.loads(kubectl.command(*command))
    return found


def said(explanation: dict[str, Any], title: str) -> str:
    """What stands under a title; empty where it is not there."""
    return " ".join(" ".join(each["sentences"]) for each in explanation["topics"] if each["title"] == title)


def test_the_gateways_know_when_it_sleeps_and_then_it_does(
    services: Services, gateway: Gateway, kubectl: Kubectl
) -> None:
    manifest = simulated("told", services.namespace)
    manifest["spec"]["scaling"]["idleTimeoutSeconds"] = IDLE_SECONDS
    services.apply(manifest)
    services.wait_phase("told", "Idle", seconds=120)
    assert "The next request wakes it" in said(explained(kubectl, services.namespace, "told"), "Next")
    assert chat(gateway, services.namespace, "told").status_code == 200
    services.wait_phase("told", "Running", seconds=120)
    explanation = explained(kubectl, services.namespace, "told", "--ask-gateways")
    assert said(explanation, "Not read") == ""
    assert "Woken: " in said(explanation, "Workers")
    [sleep] = explanation["expected"]
    assert (sleep["what"], sleep["workers"]) == ("Sleep", 0)
    assert sleep["notBefore"] == sleep["atLatest"], "the gateways know when the last request ended"
    services.wait_phase("told", "Idle", seconds=120)
    slept = services.get("told")["status"]["scaling"]
    assert slept["reason"] == "Idle"
    before = (from_timestamp(sleep["notBefore"]) or 0.0) - (from_timestamp(slept["since"]) or 0.0)
    assert before <= 1, "timestamps have whole seconds, and the operator never sleeps earlier"


def test_an_image_that_nobody_has_is_the_problem_and_comes_with_advice(
    services: Services, kubectl: Kubectl
) -> None:
    manifest = simulated("lost", services.namespace)
    manifest["spec"]["engine"]["image"] = "registry.invalid/none:1"
    manifest["spec"]["scaling"]["minReplicas"] = 1
    services.apply(manifest)
    eventually(
        lambda: services.condition("lost", "Ready").get("reason") == "ImagePullBackOff",
        "the image cannot be pulled",
        seconds=120,
    )
    explanation = explained(kubectl, services.namespace, "lost")
    assert said(explanation, "Problem").startswith("ImagePullBackOff: ")
    assert "What to do: Check the image's name" in said(explanation, "Problem")
    assert "MinReplicas: " in said(explanation, "Workers")
