"""How the kubelets of each mode treat cores: their part of the KubeletConfiguration."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from tidegate.devcluster.cpus import format_cpus, parse_cpus

TWO_POLICIES = "two-policies"


def kubelets(mode: str, configured: Mapping[str, Any], cpus: Set[int]) -> list[dict[str, Any]]:
    """For the first node and the second. ``configured`` is kind-config.yaml's part, ``cpus`` the machine's.

    Of two nodes, each reserves the cores that the other gives away. With two policies the first has the
    kubelet's default and the second is static: for comparisons, where only one of them is busy at a time,
    since both have all cores. Both keep a tenth of a core back instead of naming one, for then nearly all
    cores can be asked for: the static policy rounds that up to the first core, which it never gives away.
    """
    if mode == TWO_POLICIES:
        tenth = {"reservedSystemCPUs": "", "kubeReserved": {"cpu": "100m"}}
        return [{"cpuManagerPolicy": policy, **tenth} for policy in ("none", "static")]
    given = parse_cpus(str(configured["reservedSystemCPUs"]))
    return [{"reservedSystemCPUs": format_cpus(reserved)} for reserved in (given, cpus - given)]
