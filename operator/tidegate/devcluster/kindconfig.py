"""Reading kind-config.yaml: the one description of the cluster, whoever starts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import yaml

from tidegate.devcluster.errors import ClusterError

REPOSITORY = Path(__file__).parents[3]
KUBELET_KIND = "KubeletConfiguration"


@dataclass(frozen=True)
class ClusterConfig:
    """What kind-config.yaml says about networks and kubelets."""

    name: str
    pod_range: IPv4Network
    service_range: IPv4Network
    proxy_mode: str
    kubelet: Mapping[str, Any]

    @property
    def dns_address(self) -> IPv4Address:
        """The address of the DNS service: the tenth of the range, as kubeadm has it."""
        return self.service_range[10]

    def pods_of(self, index: int) -> IPv4Network:
        """The pods' /24 of the node `index` (from 0), in the order in which the controllers give them out."""
        return list(self.pod_range.subnets(new_prefix=24))[index]


def default_file() -> Path:
    """kind-config.yaml of this checkout."""
    return REPOSITORY / "kind-config.yaml"


def read_config(file: Path) -> ClusterConfig:
    """The configuration; a ClusterError names the file and the field that is wrong."""
    try:
        document = yaml.safe_load(file.read_text())
        networking = document["networking"]
        return ClusterConfig(
            name=document["name"],
            pod_range=IPv4Network(networking["podSubnet"]),
            service_range=IPv4Network(networking["serviceSubnet"]),
            proxy_mode=networking["kubeProxyMode"],
            kubelet=_kubelet_patch(document),
        )
    except OSError as error:
        raise ClusterError(f"cannot read {file}: {error.strerror}") from error
    except KeyError as error:
        raise ClusterError(f"{file} has no field {error}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ClusterError(f"{file} is not a valid configuration: {error}") from error


def _kubelet_patch(document: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for patch in _patches(document):
        if patch.get("kind") == KUBELET_KIND:
            merged |= patch
    if not merged:
        raise KeyError(f"kubeadmConfigPatches[kind={KUBELET_KIND}]")
    return merged


def _patches(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for text in document.get("kubeadmConfigPatches", []):
        yield yaml.safe_load(text)
