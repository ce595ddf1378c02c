"""What is told of a service that the operator can do nothing for."""

from __future__ import annotations

from typing import Any

from tests.unit.domain.pods import ready_pod
from tidegate.controller.blocked import blocked_facts, refused
from tidegate.controller.world import World
from tidegate.kube.cache import Kind
from tidegate.kube.errors import ForbiddenError, InvalidError

Json = dict[str, Any]

RAW: Json = {
    "metadata": {"namespace": "team", "name": "qwen", "uid": "u1"},
    "spec": {"engine": "not an object"},
}


def world_with(owner: str) -> World:
    """One ready worker, and a Deployment that belongs to this uid."""
    world = World(128)
    metadata = {
        "labels": {"tidegate.io/inferenceservice": "qwen"},
        "namespace": "team",
        "resourceVersion": "1",
    }
    owned = {"ownerReferences": [{"uid": owner}]}
    deployment = {
        "metadata": {**metadata, **owned, "name": "qwen-worker", "uid": "d"},
        "spec": {"replicas": 2},
    }
    world.cache.put(Kind.DEPLOYMENT, deployment)
    world.cache.put(Kind.POD, ready_pod(**metadata))
    return world


def test_pods_are_told_though_the_spec_cannot_be_read() -> None:
    facts = blocked_facts(world_with("u1"), RAW)
    assert (facts.ready, facts.wanted, facts.remaining) == (1, 2, 1)


def test_a_foreign_deployments_replicas_are_nobodys_wish() -> None:
    assert blocked_facts(world_with("somebody"), RAW).wanted == 0


def test_a_refusal_names_who_refused() -> None:
    webhook = ForbiddenError(403, "Forbidden", 'admission webhook "v.example" denied the request: no')
    assert refused(webhook).reason == "Refused"
    assert refused(webhook).message == "WebhookDenied: the admission webhook v.example denied it: no"
    schema = InvalidError(422, "Invalid", "Deployment is invalid: spec.x")
    assert refused(schema).message == "Deployment is invalid: spec.x (422 Invalid)"
