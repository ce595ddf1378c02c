"""What no node of the cluster has."""

from __future__ import annotations

import pytest

from tidegate.domain.fitting import Need, NodeSize, misfits

GI = 2**30
GPU = "nvidia.com/gpu"
PRODUCT = "nvidia.com/gpu.product"
SMALL = NodeSize(3900, 15 * GI)
LARGE = NodeSize(63900, 200 * GI)
L4 = NodeSize(15900, 60 * GI, ((GPU, 2),), ((PRODUCT, "NVIDIA-L4"),))


@pytest.mark.parametrize(
    ("need", "nodes", "said"),
    [
        (Need(3, GI), [SMALL], []),
        (Need(4, GI), [SMALL], ["cpu: no node has 4 cores to give, the largest has 3.9"]),
        (Need(4, GI), [SMALL, LARGE], []),
        (Need(1, 16 * GI), [SMALL], ["memory: no node has 16384Mi to give, the largest has 15360Mi"]),
        (Need(64, 300 * GI), [SMALL, LARGE], ["cpu: no node has 64", "memory: no node has 307200Mi"]),
        (Need(1, GI, GPU, 1), [SMALL], [f"accelerator.resource: no node offers {GPU}"]),
        (Need(1, GI, GPU, 2), [SMALL, L4], []),
        (
            Need(1, GI, GPU, 4),
            [SMALL, L4],
            [f"accelerator.count: no node has 4 {GPU} to give, the largest has 2"],
        ),
        (Need(1, GI, GPU, 1, PRODUCT, ("NVIDIA-L4",)), [L4], []),
        (Need(1, GI, GPU, 1, PRODUCT, ("A100", "NVIDIA-L4")), [L4], []),
        (
            Need(1, GI, GPU, 1, PRODUCT, ("A", "B")),
            [L4],
            [f"accelerator.types: no node's label {PRODUCT} is A or B"],
        ),
        (Need(32, GI, GPU, 1), [LARGE, L4], ["no single node has all of it"]),
        (Need(1024, 2**50, GPU, 64), [], []),
    ],
)
def test_what_no_node_has_is_named_and_an_unknown_cluster_warns_of_nothing(
    need: Need, nodes: list[NodeSize], said: list[str]
) -> None:
    found = misfits(need, nodes)
    assert len(found) == len(said)
    assert all(sentence.startswith(begin) for sentence, begin in zip(found, said, strict=True))
