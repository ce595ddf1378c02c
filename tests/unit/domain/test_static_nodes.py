from dataclasses import replace

import pytest

from tidegate.domain.causes import Cause
from tidegate.domain.static_nodes import Needs, NodeFacts, no_static_node

FULL = Cause("Unschedulable", "0/3 nodes are available", failure=False)
NEEDS = Needs({"cpu": "4", "nvidia.com/gpu": "1"}, {"nvidia.com/gpu.product": ("NVIDIA-L4", "NVIDIA-L40S")})
GPU = NodeFacts(
    "gpu-1", "none", {"nvidia.com/gpu.product": "NVIDIA-L4"}, {"cpu": "15890m", "nvidia.com/gpu": "2"}
)
CPU = NodeFacts("cpu-1", "static", {}, {"cpu": "64"})


def test_a_gpu_service_is_not_helped_by_a_static_node_without_its_gpus() -> None:
    found = no_static_node(FULL, NEEDS, [CPU, GPU])
    assert found
    assert found.reason == "NoStaticNode"
    assert not found.failure
    assert "gpu-1 (none) would fit otherwise" in found.message
    assert "cpuManagerPolicy: static" in found.message
    assert FULL.message in found.message


@pytest.mark.parametrize("policy", ["unknown", None])
def test_where_the_kubelet_could_not_be_asked_the_label_is_the_administrators(policy: str | None) -> None:
    found = no_static_node(FULL, NEEDS, [replace(GPU, policy=policy)])
    assert found
    assert f"gpu-1 ({policy or 'no label'})" in found.message
    assert "label them" in found.message


def test_a_static_node_that_is_merely_full_leaves_the_schedulers_words() -> None:
    assert no_static_node(FULL, NEEDS, [replace(GPU, policy="static")]) is FULL


def test_no_node_that_fits_is_said_and_many_are_counted() -> None:
    found = no_static_node(FULL, NEEDS, [CPU, replace(GPU, labels={})])
    assert found
    assert "no node of any policy fits" in found.message
    many = no_static_node(FULL, NEEDS, [replace(GPU, name=f"gpu-{n}") for n in range(5)])
    assert many
    assert "gpu-0 (none), gpu-1 (none), gpu-2 (none) and 2 more" in many.message


def test_other_causes_and_unknown_nodes_are_left_alone() -> None:
    other = Cause("ImagePullBackOff", "no such image")
    assert no_static_node(other, NEEDS, [GPU]) is other
    assert no_static_node(None, NEEDS, [GPU]) is None
    assert no_static_node(FULL, NEEDS, []) is FULL
