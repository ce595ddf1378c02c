"""The node inventory that written objects are compared with."""

from __future__ import annotations

from typing import Any

from tidegate.controller.node_policies import NodePolicies
from tidegate.domain.fitting import NodeSize

Json = dict[str, Any]


def node(name: str, cpu: Any = "15900m", labels: Json | None = None, *, gpu: str = "", **more: str) -> Json:
    allocatable = {"cpu": cpu, "memory": "64Gi", "pods": "110", **more} | (
        {"nvidia.com/gpu": gpu} if gpu else {}
    )
    return {"metadata": {"name": name, "labels": labels or {}}, "status": {"allocatable": allocatable}}


def test_a_size_is_read_from_what_can_be_allocated() -> None:
    nodes = NodePolicies()
    labels = {"nvidia.com/gpu.product": "NVIDIA-L4", "other": "x"}
    nodes.put(node("a", labels=labels, gpu="2"))
    assert list(nodes.sizes.sizes()) == [
        NodeSize(15900, 64 * 2**30, (("nvidia.com/gpu", 2),), (("nvidia.com/gpu.product", "NVIDIA-L4"),))
    ]


def test_nodes_of_one_size_share_a_record_until_the_last_is_gone() -> None:
    nodes = NodePolicies()
    nodes.replace_all([node("a"), node("b"), node("c", cpu=4)])
    assert [size.millicores for size in nodes.sizes.sizes()] == [15900, 4000]
    nodes.remove("a")
    assert len(nodes.sizes.sizes()) == 2
    nodes.put(node("b", cpu="4"))
    assert [size.millicores for size in nodes.sizes.sizes()] == [4000]
    nodes.replace_all([])
    assert not nodes.sizes.sizes()


def test_a_node_that_grows_keeps_its_policy() -> None:
    nodes = NodePolicies()
    label = {"tidegate.io/cpu-manager-policy": "static"}
    assert nodes.put(node("a", labels=label))
    assert not nodes.put(node("a", cpu="32", labels=label))
    assert nodes.policy("a") == "static"
    assert [size.millicores for size in nodes.sizes.sizes()] == [32000]


def test_a_node_that_says_nothing_or_nonsense_has_nothing() -> None:
    nodes = NodePolicies()
    nodes.put({"metadata": {"name": "new"}})
    nodes.put(node("odd", cpu="many", memory="-", gpu="?"))
    assert {size.millicores for size in nodes.sizes.sizes()} == {0}
