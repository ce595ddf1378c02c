from typing import Any

from tidegate.controller.node_policies import NodePolicies
from tidegate.domain.isolation import NodePolicy
from tidegate.domain.static_nodes import NodeFacts

LABEL = "tidegate.io/cpu-manager-policy"


def node(policy: str | None, manager: str = "tidegate-operator") -> dict[str, Any]:
    fields: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}
    labels = {LABEL: policy, "zone": "b"} if policy else {"zone": "b"}
    metadata = {"name": "n", "labels": labels, "managedFields": [{"manager": manager, "fieldsV1": fields}]}
    return {"metadata": metadata, "status": {"allocatable": {"cpu": "4"}}}


def test_only_another_policy_or_another_hand_on_it_is_news() -> None:
    nodes = NodePolicies()
    assert not nodes.put(node(None))
    assert nodes.put(node("static"))
    assert not nodes.put(node("static"))
    assert nodes.put(node("static", "kubectl-label"))
    assert nodes.label("n") == NodePolicy("static", administrators=True)
    assert [facts.policy for facts in nodes.facts()] == ["static"]
    assert nodes.remove("n")
    assert not nodes.remove("n")
    assert nodes.label("n") == NodePolicy()


def test_a_full_listing_replaces_all() -> None:
    nodes = NodePolicies()
    nodes.put(node("none"))
    assert not nodes.replace_all([node("none")])
    assert nodes.facts() == [NodeFacts("n", "none", {LABEL: "none", "zone": "b"}, {"cpu": "4"})]
    assert nodes.replace_all([])
    assert nodes.policy("n") is None
