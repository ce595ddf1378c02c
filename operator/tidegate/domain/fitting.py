"""Whether any node of a cluster is large enough for a worker, whatever runs there now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

Devices = tuple[tuple[str, int], ...]  # extended resource, how many


@dataclass(frozen=True, slots=True)
class NodeSize:
    """What a node has to give to pods: cores in thousandths, bytes, devices, and the devices' products by the
    label that names them."""

    millicores: int
    memory: int
    devices: Devices = ()
    products: tuple[tuple[str, str], ...] = ()

    def has(self, resource: str) -> int:
        """How many devices of that name it has."""
        return next((count for name, count in self.devices if name == resource), 0)


@dataclass(frozen=True, slots=True)
class Need:
    """What one worker asks for. ``product_label`` and ``products``: devices that will do, none: any."""

    cores: int
    memory: int
    device: str | None = None
    count: int = 0
    product_label: str = ""
    products: tuple[str, ...] = ()

    def fits(self, node: NodeSize) -> bool:
        """Whether an empty node of that size could run it."""
        enough = self.cores * 1000 <= node.millicores and self.memory <= node.memory
        return enough and self.has_devices(node) and self.has_product(node)

    def has_devices(self, node: NodeSize) -> bool:
        """Whether the node has so many devices."""
        return self.device is None or node.has(self.device) >= self.count

    def has_product(self, node: NodeSize) -> bool:
        """Whether the node's devices are among those that will do."""
        return not self.products or any((self.product_label, each) in node.products for each in self.products)


def misfits(need: Need, nodes: Collection[NodeSize]) -> list[str]:
    """Sentences about what no node has; empty where one could run the worker, or no node is known.

    >>> misfits(Need(64, 2**30), [NodeSize(15900, 2**36)])
    ['cpu: no node has 64 cores to give, the largest has 15.9']
    """
    if not nodes or any(need.fits(node) for node in nodes):
        return []
    single = [*_size_misfits(need, nodes), *_device_misfits(need, nodes)]
    return single or ["no single node has all of it: cpu, memory and devices are on different nodes"]


def _size_misfits(need: Need, nodes: Collection[NodeSize]) -> list[str]:
    cores, memory = (max(node.millicores for node in nodes), max(node.memory for node in nodes))
    found = []
    if need.cores * 1000 > cores:
        found.append(f"cpu: no node has {need.cores} cores to give, the largest has {cores / 1000:g}")
    if need.memory > memory:
        found.append(
            f"memory: no node has {_mebibytes(need.memory)} to give, the largest has {_mebibytes(memory)}"
        )
    return found


def _device_misfits(need: Need, nodes: Collection[NodeSize]) -> list[str]:
    if need.device is None:
        return []
    most = max(node.has(need.device) for node in nodes)
    if not most:
        return [f"accelerator.resource: no node offers {need.device}"]
    if most < need.count:
        return [f"accelerator.count: no node has {need.count} {need.device} to give, the largest has {most}"]
    if not any(need.has_product(node) for node in nodes):
        return [f"accelerator.types: no node's label {need.product_label} is {' or '.join(need.products)}"]
    return []


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f}Mi"
