"""One node of the embedded cluster: the files of its kubelet, containerd, kube-proxy and pod network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from tidegate.devcluster.certificates import Authority
from tidegate.devcluster.controlplane import CONTEXT, flags
from tidegate.devcluster.debian import CNI_PLUGINS
from tidegate.devcluster.kindconfig import ClusterConfig
from tidegate.devcluster.kubeconfigs import write_kubeconfig
from tidegate.devcluster.layout import Cache, State
from tidegate.devcluster.network import NodeAddress

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"  # of the node: the machine's own /run is not touched
PAUSE_IMAGE = "tidegate.local/pause:1"
# where the controller manager makes volumes, in its own tree
HOSTPATH_VOLUMES = Path("/tmp/hostpath_pv")  # noqa: S108


@dataclass(frozen=True)
class Node:
    """A node: its place, its addresses, and how its kubelet treats cores (policies)."""

    name: str
    state: State
    cache: Cache
    address: NodeAddress
    cores: Mapping[str, Any]
    cgroup_root: str

    @property
    def folder(self) -> Path:
        """The node's own part of the state."""
        return self.state.root / "nodes" / self.name

    @property
    def images(self) -> Path:
        """containerd's store: images stay in the user's cache, so that they are imported once."""
        return self.cache.root / "containerd" / self.name

    def process(self, program: str) -> str:
        """The name of one of the node's processes, as recorded and logged."""
        return f"{self.name}.{program}"

    @property
    def spec_file(self) -> Path:
        """What nodeinit reads."""
        return self.folder / "init.json"

    @property
    def ready_file(self) -> Path:
        """Appears when nodeinit has made the node's tree."""
        return self.folder / "ready"

    def write_files(self, config: ClusterConfig, authority: Authority, server: str) -> None:
        """Writes certificates and configurations. `server` is the API server's URL."""
        for folder in (self.folder, self.images, *self.folders().values()):
            folder.mkdir(parents=True, exist_ok=True)
        self._write_identity(authority, server)
        self.spec_file.write_text(json.dumps(self.init_spec()))
        self._write_yaml("kubelet.yaml", self.kubelet_configuration(config))
        self._write_yaml("kube-proxy.yaml", self.proxy_configuration(config))
        (self.folder / "containerd.toml").write_text(self.containerd_configuration())
        (self.folder / "cni").mkdir(exist_ok=True)
        (self.folder / "cni" / "10-tidegate.conflist").write_text(
            json.dumps(cni_configuration(self.address.pods))
        )

    def folders(self) -> dict[Path, Path]:
        """Paths that programs insist on → what the node sees there."""
        return {
            Path("/var/lib/kubelet"): self.folder / "kubelet",
            Path("/var/lib/cni"): self.folder / "cni-cache",
            Path("/var/log/containers"): self.folder / "containers",
            HOSTPATH_VOLUMES: self.state.root / "volumes",
        }

    def init_spec(self) -> dict[str, Any]:
        """What the node has for itself: folders laid over the machine's, and network settings."""
        return {
            "folders": {str(target): str(source) for target, source in self.folders().items()},
            "sysctls": {"/proc/sys/net/ipv4/ip_forward": "1"},
            "ready": str(self.ready_file),
        }

    def kubelet_configuration(self, config: ClusterConfig) -> dict[str, Any]:
        """kind-config.yaml's, and what depends on this machine."""
        pki = self.state.pki
        own = {
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki / f"{self.name}-serving.crt"),
            "tlsPrivateKeyFile": str(pki / f"{self.name}-serving.key"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.cgroup_root,
            "clusterDNS": [str(config.dns_address)],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "podLogsDir": str(self.folder / "pods"),
            "volumePluginDir": str(self.folder / "volume-plugins"),
            **self.cores,
        }
        return {**config.kubelet, **own}

    def proxy_configuration(self, config: ClusterConfig) -> dict[str, Any]:
        """kube-proxy's configuration."""
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": config.proxy_mode,
            "clusterCIDR": str(config.pod_range),
            "clientConnection": {"kubeconfig": str(self.state.root / "kube-proxy.kubeconfig")},
            "conntrack": {"maxPerCore": 0},  # the limit belongs to the whole machine
            "hostnameOverride": self.name,
        }

    def containerd_configuration(self) -> str:
        """containerd's configuration. The machine may lack CAP_SYS_RESOURCE, hence restrict_oom_score_adj."""
        return f"""\
version = 2
root = "{self.images}"
[plugins."io.containerd.internal.v1.opt"]
path = "{self.folder / "opt"}"
[grpc]
address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{self.folder / "cni"}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""

    def containerd(self) -> list[str]:
        """containerd's arguments."""
        return ["--config", str(self.folder / "containerd.toml")]

    def kubelet(self) -> list[str]:
        """The kubelet's arguments."""
        return flags(
            config=self.folder / "kubelet.yaml",
            kubeconfig=self.folder / "kubelet.kubeconfig",
            hostname_override=self.name,
            node_ip=self.address.address,
            root_dir="/var/lib/kubelet",
        )

    def proxy(self) -> list[str]:
        """kube-proxy's arguments."""
        return flags(config=self.folder / "kube-proxy.yaml")

    def _write_identity(self, authority: Authority, server: str) -> None:
        authority.client(self.name, f"system:node:{self.name}", ["system:nodes"])
        write_kubeconfig(self.folder / "kubelet.kubeconfig", authority.folder, self.name, server, CONTEXT)
        hosts = [self.name, str(self.address.address)]
        authority.server(f"{self.name}-serving", f"system:node:{self.name}", hosts)

    def _write_yaml(self, name: str, document: Mapping[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(dict(document), sort_keys=False))


def cni_configuration(pods: IPv4Network) -> dict[str, Any]:
    """A link of its own for each pod, so that all its traffic passes the node's rules, also to neighbours.

    (On a common bridge a Service's answer to a neighbour would go round the rules that must translate it.)
    """
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "ranges": [[{"subnet": str(pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": "tidegate",
        "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}],
    }
